/** Program: fuzzes compressed messages. Arguments: see program.ts. */

import { runProgram } from "./program.ts";
import { deflateTarget } from "./targets/deflate.ts";

await runProgram(deflateTarget);
