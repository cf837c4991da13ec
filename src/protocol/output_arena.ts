/** Where the small messages of one read are put when they are restored: one piece of memory, used anew for every read. */

/** Messages of more bytes get their own memory, which is then given away with them. */
const LARGEST_BYTES = 16_384;
const ARENA_BYTES = 65_536;

/** Memory of one codec, shared by all its inflaters. */
export class OutputArena {
  /** Made when first used: a loop that never inflates pays nothing. */
  #bytes: Uint8Array = new Uint8Array(0);
  /** Up to where it is taken by messages of this read. */
  #used = 0;

  /** The arena itself. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** What was put here is no longer looked at. */
  rewind(): void {
    this.#used = 0;
  }

  /** Where the next bytes may lie. Above `room`, there is none. */
  get used(): number {
    return this.#used;
  }

  /** How many bytes may lie at `used`. */
  get room(): number {
    if (this.#bytes.length === 0) this.#bytes = new Uint8Array(ARENA_BYTES);
    return Math.min(LARGEST_BYTES, this.#bytes.length - this.#used);
  }

  /** Takes bytes at `used`. */
  take(sizeBytes: number): void {
    this.#used += sizeBytes;
  }
}
