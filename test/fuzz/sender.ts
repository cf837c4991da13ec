/** Program: fuzzes the frame sender. Arguments: see program.ts. */

import { runProgram } from "./program.ts";
import { senderTarget } from "./targets/sender.ts";

await runProgram(senderTarget);
