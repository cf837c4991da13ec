/** Program: fuzzes the message decoder against ws. Arguments: see program.ts. */

import { runProgram } from "./program.ts";
import { wsReceiverTarget } from "./targets/ws_receiver.ts";

await runProgram(wsReceiverTarget);
