/**
 * A random byte string read as a series of decisions: what makes a target's input out of a fuzzer's.
 *
 * Every target takes plain bytes, so that one input can be drawn by fast-check (seeded, shrunk), mutated by the search
 * that follows coverage, kept in a file and replayed on every runtime. Used up, it answers zero for ever, and zero is
 * always the simplest choice: shorter and smaller bytes mean simpler cases, which is what shrinking needs.
 */

import { seeded } from "../protocol/frames.ts";

/** See the top of this file. */
export class FuzzInput {
  readonly #bytes: Uint8Array;
  #at: number;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#at = 0;
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** The next byte; 0 when there is none. */
  byte(): number {
    return this.#at < this.#bytes.length ? this.#bytes[this.#at++] : 0;
  }

  /** The next two bytes as a number. */
  word(): number {
    return (this.byte() << 8) | this.byte();
  }

  /** An integer from 0 to `limit - 1`. */
  below(limit: number): number {
    if (limit <= 256) return this.byte() % limit;
    return (this.word() * 0x1_0000 + this.word()) % limit;
  }

  /** True in `parts` of 256 cases; false once used up, unless `parts` is 256. */
  chance(parts: number): boolean {
    return 255 - this.byte() < parts;
  }

  /** One of the list; the first is the simplest. */
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  /** The next `count` bytes, fewer when there are fewer. */
  take(count: number): Uint8Array {
    const taken = this.#bytes.slice(this.#at, this.#at + count);
    this.#at += taken.length;
    return taken;
  }

  /** All that is left. */
  rest(): Uint8Array {
    return this.take(this.left);
  }

  /** A generator seeded by two bytes, for what need not be shrunk byte by byte. */
  random(): () => number {
    return seeded(this.word());
  }
}
