/** Frames to and from bytes, written from RFC 6455 §5.2 and not with the codec under test; any frame can be said, however wrong. */

import type { FrameToSend } from "./script.ts";

export type MaskKey = readonly [number, number, number, number];

/** A frame's first bytes, up to its payload. */
export function writeHead(
  frame: Omit<FrameToSend, "payload">,
  sizeBytes: number,
  key: MaskKey | undefined,
): Uint8Array {
  const first = ((frame.isFinal ?? true) ? 0x80 : 0) | ((frame.reserved ?? 0) << 4) | frame.opcode;
  const mask = key === undefined ? 0 : 0x80;
  const bytes = [first];
  if (sizeBytes < 126) bytes.push(mask | sizeBytes);
  else if (sizeBytes < 65_536) bytes.push(mask | 126, sizeBytes >> 8, sizeBytes & 0xff);
  else {
    bytes.push(mask | 127);
    for (let power = 7; power >= 0; power--) bytes.push(Math.floor(sizeBytes / 256 ** power) & 0xff);
  }
  return Uint8Array.from(key === undefined ? bytes : [...bytes, ...key]);
}

/** Masks or unmasks a part of a payload that begins at `offset` in it. Gives a copy. */
export function masked(bytes: Uint8Array, key: MaskKey | undefined, offset = 0): Uint8Array {
  const copy = bytes.slice();
  if (key === undefined) return copy;
  for (let index = 0; index < copy.length; index++) copy[index] ^= key[(offset + index) & 3];
  return copy;
}

export function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A frame as it came. */
export interface ReadFrame {
  readonly isFinal: boolean;
  readonly reserved: number;
  readonly opcode: number;
  readonly isMasked: boolean;
  /** Whether its length took the fewest bytes (§5.2). */
  readonly isMinimal: boolean;
  readonly payload: Uint8Array;
}

interface ReadHead extends Omit<ReadFrame, "payload"> {
  readonly sizeBytes: number;
  readonly key: MaskKey | undefined;
}

/** Takes frames apart as their bytes come in. */
export class FrameReader {
  #chunks: Uint8Array[] = [];
  #sizeBytes = 0;
  #head: ReadHead | undefined = undefined;

  push(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#sizeBytes += bytes.length;
  }

  /** The next whole frame, or undefined when more bytes are needed. */
  next(): ReadFrame | undefined {
    this.#head ??= this.#readHead();
    const head = this.#head;
    if (head === undefined || this.#sizeBytes < head.sizeBytes) return undefined;
    this.#head = undefined;
    return { ...head, payload: masked(this.#take(head.sizeBytes), head.key) };
  }

  #readHead(): ReadHead | undefined {
    if (this.#sizeBytes < 2) return undefined;
    const [first, second] = this.#peek(2);
    const short = second & 0x7f;
    const wideBytes = short === 127 ? 8 : short === 126 ? 2 : 0;
    const isMasked = second >= 0x80;
    const headBytes = 2 + wideBytes + (isMasked ? 4 : 0);
    if (this.#sizeBytes < headBytes) return undefined;
    const bytes = this.#take(headBytes);
    const wide = bytes.subarray(2, 2 + wideBytes).reduce((sum, byte) => sum * 256 + byte, 0);
    return {
      isFinal: first >= 0x80,
      reserved: (first >> 4) & 7,
      opcode: first & 15,
      isMasked,
      isMinimal: wideBytes === 0 || wide >= (wideBytes === 2 ? 126 : 65_536),
      sizeBytes: wideBytes === 0 ? short : wide,
      key: isMasked ? ([...bytes.subarray(headBytes - 4)] as unknown as MaskKey) : undefined,
    };
  }

  #peek(count: number): Uint8Array {
    if (this.#chunks[0].length < count) this.#chunks = [concatenate(this.#chunks)];
    return this.#chunks[0].subarray(0, count);
  }

  #take(count: number): Uint8Array {
    if (count === 0) return new Uint8Array(0);
    const taken = this.#peek(count);
    const rest = this.#chunks[0].subarray(count);
    if (rest.length > 0) this.#chunks[0] = rest;
    else this.#chunks.shift();
    this.#sizeBytes -= count;
    return taken;
  }
}
