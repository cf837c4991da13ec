/** The byte loops of the protocol over the arena of a native transport, for which views are kept; elsewhere they are made for each call. */

import type { Kernels } from "../protocol/kernels.ts";
import { unmaskShort, unmaskWords } from "../protocol/mask.ts";
import { scalarKernels } from "../protocol/scalar_kernels.ts";
import type { Arena } from "./arena.ts";

/** {@link Kernels} for one transport. */
export class NativeKernels implements Kernels {
  readonly shortBytes: number = scalarKernels.shortBytes;
  readonly #arena: Arena;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  unmask(bytes: Uint8Array, start: number, end: number, key: number): void {
    const arena = this.#arena;
    if (bytes !== arena.bytes) scalarKernels.unmask(bytes, start, end, key);
    else if (end - start <= this.shortBytes) unmaskShort(bytes, arena.view, start, end, key | 0);
    else unmaskWords(bytes, arena.words, 0, start, end, key);
  }

  viewOf(bytes: Uint8Array): DataView {
    return bytes === this.#arena.bytes ? this.#arena.view : scalarKernels.viewOf(bytes);
  }

  utf8(bytes: Uint8Array, start: number, end: number): number {
    return scalarKernels.utf8(bytes, start, end);
  }
}
