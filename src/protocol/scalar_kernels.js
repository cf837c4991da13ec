/** The byte loops in TypeScript, for transports that bring none of their own. */
import { unmask } from "./mask.js";
import { utf8 } from "./utf8.js";
/** {@link Kernels} in TypeScript. */
export const scalarKernels = {
    unmask,
    utf8,
    shortBytes: 256,
    viewOf(bytes) {
        return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    },
};
