/** Program: fuzzes compressed messages with the shim's codec. Arguments: see program.ts. */

import { runProgram } from "./program.ts";
import { deflateShimTarget } from "./targets/deflate_shim.ts";

await runProgram(deflateShimTarget);
