/**
 * DEFLATE (RFC 1951) restored bit by bit, for messages of permessage-deflate: an oracle without tables, windows that wrap, or
 * any of zlib's code. It says "unsure" where RFC 7692 leaves open what a receiver does.
 */

/** What became of a message. */
export type Restored =
  | { readonly status: "done"; readonly bytes: Uint8Array }
  /** No receiver may take it. */
  | { readonly status: "corrupt" }
  /** It is larger than the limit. */
  | { readonly status: "large" }
  /** It ends inside a block, goes on behind a final one, or refers to before the window: receivers differ. */
  | { readonly status: "unsure" };

const TAIL = [0x00, 0x00, 0xff, 0xff];
const CODE_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const LENGTH_BASES = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195,
  227, 258,
];
const LENGTH_BITS = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const MOST_CODE_BITS = 15;
const MOST_FINALS = 8;

class Corrupt extends Error {}
class Unsure extends Error {}
class Large extends Error {}

function must(condition: boolean): void {
  if (!condition) throw new Corrupt();
}

/** Bits in the order of RFC 1951 §3.1.1. */
class BitReader {
  readonly #bytes: Uint8Array;
  /** In bits. */
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length * 8;
  }

  get atByte(): number {
    return Math.ceil(this.#at / 8);
  }

  bits(count: number): number {
    if (this.#at + count > this.#bytes.length * 8) throw new Unsure();
    let value = 0;
    for (let index = 0; index < count; index++, this.#at++) {
      value |= ((this.#bytes[this.#at >> 3] >> (this.#at & 7)) & 1) << index;
    }
    return value;
  }

  align(): void {
    this.#at = this.atByte * 8;
  }
}

/** A Huffman code (§3.2.2), as what it is: names of bit strings. */
class PrefixCode {
  readonly #symbols: Map<string, number> = new Map();

  constructor(lengths: readonly number[], isIncompleteAllowed: boolean) {
    const most = Math.max(0, ...lengths);
    let code = 0;
    let free = 1;
    for (let length = 1; length <= MOST_CODE_BITS; length++) {
      code <<= 1;
      free *= 2;
      for (const [symbol, own] of lengths.entries()) {
        if (own !== length) continue;
        free--;
        must(free >= 0);
        this.#symbols.set(`${length} ${code++}`, symbol);
      }
      if (length >= most) break;
    }
    // What §3.2.7 says of distances, zlib takes for lengths too: one code of one bit may stand alone, or none at all.
    if (most > 0 && free > 0) must(isIncompleteAllowed && most === 1);
  }

  read(reader: BitReader): number {
    let code = 0;
    for (let length = 1; length <= MOST_CODE_BITS; length++) {
      code = (code << 1) | reader.bits(1);
      const symbol = this.#symbols.get(`${length} ${code}`);
      if (symbol !== undefined) return symbol;
    }
    throw new Corrupt();
  }
}

function fixedLengths(): number[] {
  return Array.from({ length: 288 }, (_, symbol) =>
    symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8,
  );
}

/** Restores messages of one direction of a connection, in order. */
export class ReferenceInflater {
  readonly #windowBytes: number;
  readonly #takeover: boolean;
  /** What earlier messages said, as far as a message may refer to it. */
  #history: number[] = [];
  /** Whether a final block has been: what is before it may be forgotten or not. */
  #isVague = false;
  /** Where in this message the last stream begins. */
  #sureFrom = 0;

  constructor(windowBits: number, takeover: boolean) {
    this.#windowBytes = 1 << windowBits;
    this.#takeover = takeover;
  }

  /** Whether a message ended in a final block: streams of zlib end there, and not every receiver begins a new one. */
  get hadFinalBlock(): boolean {
    return this.#isVague;
  }

  /** Restores a payload as it was received, without the four bytes that its sender cut off. */
  inflate(payload: Uint8Array, maxBytes: number): Restored {
    const before = this.#takeover ? this.#history : [];
    const out: number[] = [];
    try {
      this.#run(payload, before, out, maxBytes);
      if (out.length > maxBytes) return { status: "large" };
      if (this.#takeover) this.#history = [...before, ...out].slice(-this.#windowBytes);
      return { status: "done", bytes: Uint8Array.from(out) };
    } catch (reason) {
      if (reason instanceof Large) return { status: "large" };
      if (reason instanceof Unsure) return { status: "unsure" };
      if (!(reason instanceof Corrupt)) throw reason;
      // One that says too much before it breaks may fail in either way.
      return { status: out.length > maxBytes ? "unsure" : "corrupt" };
    }
  }

  #run(payload: Uint8Array, before: readonly number[], out: number[], maxBytes: number): void {
    const whole = Uint8Array.from([...payload, ...TAIL]);
    const reader = new BitReader(whole);
    let finals = 0;
    this.#sureFrom = 0;
    do {
      const isFinal = reader.bits(1) === 1;
      switch (reader.bits(2)) {
        case 0:
          this.#stored(reader, out);
          break;
        case 1:
          this.#compressed(reader, before, out, new PrefixCode(fixedLengths(), false), fives());
          break;
        case 2: {
          const [literals, distances] = dynamicCodes(reader);
          this.#compressed(reader, before, out, literals, distances);
          break;
        }
        default:
          throw new Corrupt();
      }
      if (out.length > maxBytes + 70_000) throw new Large();
      if (isFinal) {
        // Another stream begins at the next byte, if only with the empty block of §7.2.3.4. Whether it may refer to this one
        // is open, and so is how many of them a receiver takes.
        this.#isVague = true;
        this.#sureFrom = out.length;
        reader.align();
        if (reader.atByte >= payload.length) return;
        if (++finals > MOST_FINALS) throw new Unsure();
      }
    } while (!reader.isAtEnd);
  }

  #stored(reader: BitReader, out: number[]): void {
    reader.align();
    const size = reader.bits(16);
    const complement = reader.bits(16);
    must((size ^ complement) === 0xffff);
    for (let index = 0; index < size; index++) out.push(reader.bits(8));
  }

  #compressed(
    reader: BitReader,
    before: readonly number[],
    out: number[],
    literals: PrefixCode,
    distances: PrefixCode,
  ): void {
    for (;;) {
      const symbol = literals.read(reader);
      if (symbol === 256) return;
      if (symbol < 256) {
        out.push(symbol);
        continue;
      }
      // Names that have a fixed code and no meaning (§3.2.6): zlib refuses them, libdeflate reads 286 and 287 as 258 bytes.
      if (symbol - 257 >= LENGTH_BASES.length) throw new Unsure();
      const length = LENGTH_BASES[symbol - 257] + reader.bits(LENGTH_BITS[symbol - 257]);
      const code = distances.read(reader);
      if (code >= 30) throw new Unsure();
      const extra = code < 2 ? 0 : (code >> 1) - 1;
      const distance = (code < 2 ? code : (2 + (code & 1)) << extra) + 1 + reader.bits(extra);
      if (distance > out.length + before.length) {
        // More than the window was forgotten here, perhaps not there.
        if (this.#isVague || before.length === this.#windowBytes) throw new Unsure();
        throw new Corrupt();
      }
      if (distance > this.#windowBytes || (this.#isVague && distance > out.length - this.#sureFrom))
        throw new Unsure();
      for (let index = 0; index < length; index++) {
        const at = out.length - distance;
        out.push(at >= 0 ? out[at] : before[before.length + at]);
      }
      if (out.length > 4_000_000) throw new Large();
    }
  }
}

function fives(): PrefixCode {
  return new PrefixCode(new Array(32).fill(5), false);
}

/** §3.2.7. */
function dynamicCodes(reader: BitReader): [PrefixCode, PrefixCode] {
  const literalCount = reader.bits(5) + 257;
  const distanceCount = reader.bits(5) + 1;
  const codeCount = reader.bits(4) + 4;
  must(literalCount <= 286 && distanceCount <= 30);
  const codeLengths: number[] = new Array(19).fill(0);
  for (let index = 0; index < codeCount; index++) codeLengths[CODE_ORDER[index]] = reader.bits(3);
  // A code without symbols cannot say a length; zlib reads it as zeros until it finds that 256 has no code.
  if (codeLengths.every((length) => length === 0)) throw new Unsure();
  const lengthCode = new PrefixCode(codeLengths, false);
  const lengths: number[] = [];
  while (lengths.length < literalCount + distanceCount) {
    const symbol = lengthCode.read(reader);
    if (symbol < 16) {
      lengths.push(symbol);
      continue;
    }
    must(symbol !== 16 || lengths.length > 0);
    const value = symbol === 16 ? (lengths.at(-1) as number) : 0;
    const count =
      symbol === 16 ? 3 + reader.bits(2) : symbol === 17 ? 3 + reader.bits(3) : 11 + reader.bits(7);
    for (let index = 0; index < count; index++) lengths.push(value);
  }
  must(lengths.length === literalCount + distanceCount);
  must(lengths[256] !== 0);
  const literals = lengths.slice(0, literalCount);
  return [new PrefixCode(literals, true), new PrefixCode(lengths.slice(literalCount), true)];
}
