/** Makes streams of frames out of decisions: mostly right, wrong in single places, or plain bytes. */

import { concat, type FrameShape, frame } from "../protocol/frames.ts";
import { fromHex, fromText } from "./byte_text.ts";
import type { FuzzInput } from "./fuzz_input.ts";

/** Sizes at which formats, buffers and loops change. */
export const EDGE_SIZES: readonly number[] = [
  0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 40, 41, 63, 64, 65, 123, 124, 125, 126, 127, 128, 129, 255, 256,
  257, 511, 512, 513, 1_023, 4_096,
];
/** Rarer, because they cost time. */
export const LARGE_SIZES: readonly number[] = [
  16_383, 32_768, 65_519, 65_520, 65_521, 65_535, 65_536, 65_537, 65_550, 70_001,
];

/** Characters of one to four bytes at the edges of what UTF-8 can say. */
const TAPE = fromText(
  "abc é\u007f\u0080\u07ff\u0800☃\ud7ff\ue000\uffff𐀀𝄞\u{10ffff} plain ASCII, long enough for words; ",
);

/** At the edges of UTF-8 (RFC 3629 §4): the last that is right, the first that is wrong, and what is cut off. */
const TEXT_EDGES: readonly Uint8Array[] = [
  "c2 80",
  "c1 bf",
  "c0 80",
  "df bf",
  "e0 a0 80",
  "e0 9f bf",
  "ed 9f bf",
  "ed a0 80",
  "ee 80 80",
  "ef bf bf",
  "f0 90 80 80",
  "f0 8f bf bf",
  "f4 8f bf bf",
  "f4 90 80 80",
  "f5 80 80 80",
  "80",
  "bf",
  "fe",
  "ff",
  "c2",
  "e2 82",
  "e2 82 c0",
  "f0 9f 92",
  "f0 9f 92 c0",
  "f1 80 80 bf",
  "f3 bf bf bf 80",
].map(fromHex);

/** Mostly small, now and then at an edge. */
export function drawSize(input: FuzzInput): number {
  const kind = input.byte();
  if (kind < 150) return kind % 24;
  if (kind < 250) return input.pick(EDGE_SIZES);
  return input.chance(80) ? input.pick(LARGE_SIZES) : 200 + input.byte();
}

/** Payload bytes: of the tape, of a generator, or of the input itself. */
export function drawPayload(input: FuzzInput, size: number): Uint8Array {
  const kind = input.byte() % 4;
  if (kind === 3 && size <= 64) {
    const payload = new Uint8Array(size);
    payload.set(input.take(size));
    return payload;
  }
  if (kind === 2) {
    const random = input.random();
    return Uint8Array.from({ length: size }, () => random() * 256);
  }
  return Uint8Array.from({ length: size }, (_, index) => TAPE[index % TAPE.length]);
}

/** Writes frames, keeping to the rules as long as the input does not want otherwise. */
class StreamWriter {
  readonly frames: Uint8Array[] = [];
  sizeBytes = 0;
  readonly #input: FuzzInput;
  readonly #masked: boolean;
  /** In how many of 256 decisions a rule is broken. */
  readonly #malice: number;
  #isOpen = false;
  /** Where on the tape the open text goes on. */
  #tapeAt = 0;
  #isText = false;

  constructor(input: FuzzInput, masked: boolean) {
    this.#input = input;
    this.#masked = masked;
    this.#malice = input.pick([0, 0, 6, 24]);
  }

  write(): void {
    const input = this.#input;
    const kind = input.byte() % 16;
    if (kind >= 14) this.#control(kind === 14 ? 0x89 : 0x8a);
    else if (kind === 13 && input.chance(90)) this.#close();
    else this.#data(kind);
  }

  #data(kind: number): void {
    const input = this.#input;
    const isFinal = kind % 3 !== 1;
    let opcode = 0;
    if (!this.#isOpen) {
      this.#isText = kind % 2 === 0;
      this.#tapeAt = 0;
      opcode = this.#isText ? 1 : 2;
    }
    this.#isOpen = !isFinal;
    let size = drawSize(input);
    let payload: Uint8Array;
    if (this.#isText) {
      // A text that ends inside a character is a fault, so most end where they may.
      if (isFinal && !this.#wantsFault()) {
        while ((TAPE[(this.#tapeAt + size) % TAPE.length] & 0xc0) === 0x80) size++;
      }
      payload = Uint8Array.from({ length: size }, (_, index) => TAPE[(this.#tapeAt + index) % TAPE.length]);
      this.#tapeAt += size;
      if (size > 0 && this.#wantsFault()) payload[input.word() % size] = input.byte();
      if (input.chance(24)) payload = concat(payload, input.pick(TEXT_EDGES));
    } else {
      payload = drawPayload(input, size);
    }
    this.#frame((isFinal ? 0x80 : 0) | opcode, payload);
  }

  #control(first: number): void {
    const size = Math.min(drawSize(this.#input), this.#wantsFault() ? 130 : 125);
    this.#frame(first, drawPayload(this.#input, size));
  }

  #close(): void {
    const input = this.#input;
    const code = input.chance(40)
      ? input.word()
      : input.pick([1000, 1001, 1003, 3000, 4999, 1004, 1005, 1006, 999, 1007, 1014, 1015, 2999, 5000, 0]);
    const reason = drawPayload(input, Math.min(drawSize(input), 123));
    const payload = concat(Uint8Array.of(code >> 8, code & 0xff), reason);
    this.#frame(0x88, input.chance(60) ? payload.subarray(0, input.below(3)) : payload);
  }

  #frame(first: number, payload: Uint8Array): void {
    const input = this.#input;
    let { key, lengthBits, declared }: { -readonly [Name in keyof FrameShape]: FrameShape[Name] } = {};
    if (this.#masked !== this.#wantsFault()) {
      const [a, b, c, d] = input.chance(40) ? [0, 0, 0, 0] : [input.byte(), input.byte(), 0x80, 0xff];
      key = [a, b, c, d];
    }
    if (this.#wantsFault()) {
      lengthBits = input.pick([16, 64]);
      // The largest that would have had a shorter form, and the smallest that has none.
      if (input.chance(128)) {
        const edge = lengthBits === 16 ? 125 + (input.byte() % 2) : 65_535 + (input.byte() % 2);
        payload = new Uint8Array(edge).fill(0x61);
      }
    }
    if (this.#wantsFault()) {
      declared = input.pick([
        0n,
        1n,
        125n,
        65_535n,
        65_536n,
        1n << 31n,
        1n << 32n,
        1n << 53n,
        1n << 62n,
        1n << 63n,
      ]);
    }
    if (this.#wantsFault()) first ^= 1 << input.below(8);
    const shape: FrameShape = {
      ...(key === undefined ? {} : { key }),
      ...(lengthBits === undefined ? {} : { lengthBits }),
      ...(declared === undefined ? {} : { declared }),
    };
    const written = frame(first, payload, shape);
    this.frames.push(written);
    this.sizeBytes += written.length;
  }

  #wantsFault(): boolean {
    return this.#malice > 0 && this.#input.chance(this.#malice);
  }
}

/** A stream of frames for a peer of the given role; what is left of the input is used up. */
export function drawStream(input: FuzzInput, masked: boolean): Uint8Array {
  if (input.byte() % 4 === 3) return input.rest();
  const writer = new StreamWriter(input, masked);
  while (input.left > 0 && writer.frames.length < 100 && writer.sizeBytes < 150_000) writer.write();
  return concat(...writer.frames);
}

/** Options of a decoder, edge values among them. */
export function drawLimits(input: FuzzInput): {
  masked: boolean;
  maxMessageBytes: number;
  maxFragments: number;
} {
  return {
    masked: input.byte() % 2 === 1,
    maxMessageBytes: input.pick([
      1 << 20,
      1,
      10,
      124,
      125,
      126,
      127,
      128,
      1_000,
      4_096,
      65_535,
      65_536,
      1 << 17,
    ]),
    maxFragments: input.pick([1_000, 1, 2, 3, 10]),
  };
}
