/** Program: fuzzes compressed messages against ws. Arguments: see program.ts. */

import { runProgram } from "./program.ts";
import { wsDeflateTarget } from "./targets/ws_deflate.ts";

await runProgram(wsDeflateTarget);
