/** Program: fuzzes the heads of opening handshakes. Arguments: see program.ts. */

import { runProgram } from "./program.ts";
import { headTarget } from "./targets/head.ts";

await runProgram(headTarget);
