/** Program: fuzzes the agreement on permessage-deflate. Arguments: see program.ts. */

import { runProgram } from "./program.ts";
import { deflateTermsTarget } from "./targets/deflate_terms.ts";

await runProgram(deflateTermsTarget);
