/** Program: fuzzes the heads that we write, and the URLs they come from. Arguments: see program.ts. */

import { runProgram } from "./program.ts";
import { writtenHeadTarget } from "./targets/written_head.ts";

await runProgram(writtenHeadTarget);
