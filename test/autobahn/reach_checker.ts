/**
 * How far back a DEFLATE stream (RFC 1951) refers. Decodes every symbol and writes nothing: an inflater with a small
 * window accepts larger distances as long as the bytes happen to be there, so only this tells whether a compressor kept
 * to its window.
 */

const MAX_CODE_BITS = 15;
const END_OF_BLOCK = 256;
/** The order in which lengths of code lengths come (RFC 1951 §3.2.7). */
const LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** A canonical Huffman code: how many codes of each length there are, and their symbols in order. */
interface Code {
  readonly counts: Uint16Array;
  readonly symbols: Uint16Array;
}

function codeOf(lengths: ArrayLike<number>): Code {
  const counts = new Uint16Array(MAX_CODE_BITS + 1);
  for (let symbol = 0; symbol < lengths.length; symbol++) counts[lengths[symbol]]++;
  counts[0] = 0;
  const nextIndex = new Uint16Array(MAX_CODE_BITS + 2);
  for (let bits = 1; bits <= MAX_CODE_BITS; bits++) nextIndex[bits + 1] = nextIndex[bits] + counts[bits];
  const symbols = new Uint16Array(lengths.length);
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    if (lengths[symbol] > 0) symbols[nextIndex[lengths[symbol]]++] = symbol;
  }
  return { counts, symbols };
}

/** Lengths of literal and length codes in fixed blocks (§3.2.6). */
const FIXED_LITERALS: Code = codeOf(
  Array.from({ length: 288 }, (_, symbol) => (symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8)),
);
const FIXED_DISTANCES: Code = codeOf(new Uint8Array(30).fill(5));

/** See the top of this file. */
export class ReachChecker {
  readonly #windowBytes: number;
  readonly #hasTakeover: boolean;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #held = 0;
  #heldBits = 0;
  /** Bytes that a distance may reach back to. */
  #contextBytes = 0;

  /** @param hasTakeover - Whether a message may refer to the ones before it. */
  constructor(windowBytes: number, hasTakeover: boolean) {
    this.#windowBytes = windowBytes;
    this.#hasTakeover = hasTakeover;
  }

  /**
   * Walks one message, with its tail.
   *
   * @returns The message's size in bytes, inflated.
   * @throws Error when it reaches beyond the window or is no DEFLATE.
   */
  check(bytes: Uint8Array): number {
    this.#bytes = bytes;
    this.#at = 0;
    this.#held = 0;
    this.#heldBits = 0;
    if (!this.#hasTakeover) this.#contextBytes = 0;
    const before = this.#contextBytes;
    // A final block may come in the middle; behind it the message starts over at a byte (RFC 7692 §7.2.3.4).
    while (this.#at < this.#bytes.length) {
      const isFinal = this.#bits(1) === 1;
      this.#block(this.#bits(2));
      if (isFinal) this.#heldBits = 0;
    }
    return this.#contextBytes - before;
  }

  #block(kind: number): void {
    if (kind === 0) this.#stored();
    else if (kind === 1) this.#compressed(FIXED_LITERALS, FIXED_DISTANCES);
    else if (kind === 2) this.#dynamic();
    else throw new Error("a block is of the reserved type");
  }

  #stored(): void {
    this.#heldBits = 0;
    const size = this.#bits(16);
    if (this.#bits(16) !== (size ^ 0xffff)) throw new Error("a stored block's length is wrong");
    if (this.#at + size > this.#bytes.length) throw new Error("a stored block is cut off");
    this.#at += size;
    this.#contextBytes += size;
  }

  #dynamic(): void {
    const literalCount = this.#bits(5) + 257;
    const distanceCount = this.#bits(5) + 1;
    const lengthCount = this.#bits(4) + 4;
    const lengthLengths = new Uint8Array(LENGTH_ORDER.length);
    for (const symbol of LENGTH_ORDER.slice(0, lengthCount)) lengthLengths[symbol] = this.#bits(3);
    const lengthCode = codeOf(lengthLengths);
    const lengths: number[] = [];
    while (lengths.length < literalCount + distanceCount) {
      const symbol = this.#symbol(lengthCode);
      if (symbol < 16) lengths.push(symbol);
      else if (symbol === 16) this.#repeat(lengths, lengths[lengths.length - 1] ?? 0, this.#bits(2) + 3);
      else this.#repeat(lengths, 0, symbol === 17 ? this.#bits(3) + 3 : this.#bits(7) + 11);
    }
    this.#compressed(
      codeOf(lengths.slice(0, literalCount)),
      codeOf(lengths.slice(literalCount, literalCount + distanceCount)),
    );
  }

  #repeat(lengths: number[], length: number, count: number): void {
    for (let left = count; left > 0; left--) lengths.push(length);
  }

  #compressed(literals: Code, distances: Code): void {
    for (;;) {
      const symbol = this.#symbol(literals);
      if (symbol === END_OF_BLOCK) return;
      if (symbol < END_OF_BLOCK) {
        this.#contextBytes++;
        continue;
      }
      const length = this.#length(symbol - 257);
      const distance = this.#distance(this.#symbol(distances));
      if (distance > this.#windowBytes) {
        throw new Error(`a distance of ${distance} B exceeds the window of ${this.#windowBytes} B`);
      }
      if (distance > this.#contextBytes) {
        throw new Error(`a distance of ${distance} B exceeds the ${this.#contextBytes} B of context`);
      }
      this.#contextBytes += length;
    }
  }

  /** The lengths of §3.2.5: eight plain ones, then four to each number of extra bits, and 258. */
  #length(index: number): number {
    if (index > 28) throw new Error("a length's symbol is reserved");
    if (index === 28) return 258;
    if (index < 8) return index + 3;
    const extraBits = (index >> 2) - 1;
    return 3 + ((4 + (index & 3)) << extraBits) + this.#bits(extraBits);
  }

  /** The distances of §3.2.5: four plain ones, then two to each number of extra bits. */
  #distance(index: number): number {
    if (index > 29) throw new Error("a distance's symbol is reserved");
    if (index < 4) return index + 1;
    const extraBits = (index >> 1) - 1;
    return 1 + ((2 + (index & 1)) << extraBits) + this.#bits(extraBits);
  }

  /** Codes come from their most significant bit on (§3.1.1), everything else from its least significant one. */
  #symbol({ counts, symbols }: Code): number {
    let code = 0;
    let first = 0;
    let index = 0;
    for (let bits = 1; bits <= MAX_CODE_BITS; bits++) {
      code = (code << 1) | this.#bits(1);
      const count = counts[bits];
      if (code - first < count) return symbols[index + code - first];
      index += count;
      first = (first + count) << 1;
    }
    throw new Error("a code stands for nothing");
  }

  #bits(count: number): number {
    while (this.#heldBits < count) {
      if (this.#at === this.#bytes.length) throw new Error("the compressed message is cut off");
      if (this.#heldBits === 0) this.#held = 0;
      this.#held |= this.#bytes[this.#at++] << this.#heldBits;
      this.#heldBits += 8;
    }
    const value = this.#held & ((1 << count) - 1);
    this.#held >>>= count;
    this.#heldBits -= count;
    return value;
  }
}
