/** The byte loops of the protocol: long ranges go to SIMD code in the shim, short ones stay in TypeScript. */

import type { Kernels } from "../protocol/kernels.ts";
import { unmaskShort } from "../protocol/mask.ts";
import { scalarKernels } from "../protocol/scalar_kernels.ts";
import type { Ring } from "./ring.ts";
import type { Shim } from "./shim.ts";
import type { Thresholds } from "./thresholds.ts";

/** {@link Kernels} for one ring: fastest for ranges of its block, which need no pointer. */
export class UringKernels implements Kernels {
  readonly #ring: Ring;
  readonly #shim: Shim;
  readonly #block: Uint8Array;
  readonly #view: DataView;
  readonly shortBytes: number;
  readonly #utf8Bytes: number;
  readonly #foreignBytes: number;

  constructor(ring: Ring, shim: Shim, thresholds: Thresholds) {
    this.#ring = ring;
    this.#shim = shim;
    this.#block = ring.bytes;
    this.#view = scalarKernels.viewOf(ring.bytes);
    this.shortBytes = thresholds.unmaskBytes;
    this.#utf8Bytes = thresholds.utf8Bytes;
    this.#foreignBytes = thresholds.foreignBytes;
  }

  unmask(bytes: Uint8Array, start: number, end: number, key: number): void {
    const count = end - start;
    if (bytes === this.#block && this.#ring.isOpen) {
      this.#ring.settleCopies();
      if (count <= this.shortBytes) unmaskShort(bytes, this.#view, start, end, key | 0);
      else this.#ring.unmask(start, count, key);
    } else if (count < this.#foreignBytes) {
      scalarKernels.unmask(bytes, start, end, key);
    } else {
      this.#shim.rw_unmask_at(bytes.subarray(start, end), count, key >>> 0);
    }
  }

  viewOf(bytes: Uint8Array): DataView {
    return bytes === this.#block ? this.#view : scalarKernels.viewOf(bytes);
  }

  utf8(bytes: Uint8Array, start: number, end: number): number {
    const count = end - start;
    if (count < this.#utf8Bytes) return scalarKernels.utf8(bytes, start, end);
    let result: number;
    if (bytes === this.#block && this.#ring.isOpen) result = this.#ring.utf8(start, count);
    else if (count < this.#foreignBytes) return scalarKernels.utf8(bytes, start, end);
    else result = this.#shim.rw_utf8_at(bytes.subarray(start, end), count);
    return result < 0 ? -1 : result;
  }
}
