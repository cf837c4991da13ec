/** The byte loops in TypeScript, for transports that bring none of their own. */

import type { Kernels } from "./kernels.ts";
import { unmask } from "./mask.ts";
import { utf8 } from "./utf8.ts";

/** {@link Kernels} in TypeScript. */
export const scalarKernels: Kernels = { unmask, utf8 };
