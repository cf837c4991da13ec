/** The byte loops in TypeScript, for transports that bring none of their own. */

import type { Kernels } from "./kernels.ts";
import { unmask } from "./mask.ts";
import { utf8 } from "./utf8.ts";

/** {@link Kernels} in TypeScript. */
export const scalarKernels: Kernels = {
  unmask,
  utf8,
  shortBytes: 256,
  viewOf(bytes: Uint8Array): DataView {
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  },
};
