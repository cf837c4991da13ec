/** The byte loops of the protocol: long ranges go to SIMD code in the shim, short ones stay in TypeScript. */
import { unmaskShort } from "../protocol/mask.js";
import { scalarKernels } from "../protocol/scalar_kernels.js";
/** {@link Kernels} for one ring: fastest for ranges of its block, which need no pointer. */
export class UringKernels {
    #ring;
    #shim;
    #block;
    #view;
    shortBytes;
    #utf8Bytes;
    #foreignBytes;
    constructor(ring, shim, thresholds) {
        this.#ring = ring;
        this.#shim = shim;
        this.#block = ring.bytes;
        this.#view = scalarKernels.viewOf(ring.bytes);
        this.shortBytes = thresholds.unmaskBytes;
        this.#utf8Bytes = thresholds.utf8Bytes;
        this.#foreignBytes = thresholds.foreignBytes;
    }
    unmask(bytes, start, end, key) {
        const count = end - start;
        if (bytes === this.#block && this.#ring.isOpen) {
            if (count <= this.shortBytes)
                unmaskShort(bytes, this.#view, start, end, key | 0);
            else
                this.#ring.unmask(start, count, key);
        }
        else if (count < this.#foreignBytes) {
            scalarKernels.unmask(bytes, start, end, key);
        }
        else {
            this.#shim.rw_unmask_at(bytes.subarray(start, end), count, key >>> 0);
        }
    }
    viewOf(bytes) {
        return bytes === this.#block ? this.#view : scalarKernels.viewOf(bytes);
    }
    utf8(bytes, start, end) {
        const count = end - start;
        if (count < this.#utf8Bytes)
            return scalarKernels.utf8(bytes, start, end);
        let result;
        if (bytes === this.#block && this.#ring.isOpen)
            result = this.#ring.utf8(start, count);
        else if (count < this.#foreignBytes)
            return scalarKernels.utf8(bytes, start, end);
        else
            result = this.#shim.rw_utf8_at(bytes.subarray(start, end), count);
        return result < 0 ? -1 : result;
    }
}
