/** Program: fuzzes the message decoder. Arguments: see program.ts. */

import { runProgram } from "./program.ts";
import { decoderTarget } from "./targets/decoder.ts";

await runProgram(decoderTarget);
