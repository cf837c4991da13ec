/** Builds frames byte by byte from RFC 6455 §5.2, without the code under test, so that broken ones can be built too. */

/** What a frame looks like, where it differs from a final unmasked one of minimal length. */
export interface FrameShape {
  readonly key?: readonly [number, number, number, number];
  /** Bits of the length field; by default the fewest. */
  readonly lengthBits?: 7 | 16 | 64;
  /** Length to declare instead of the payload's. */
  readonly declared?: bigint;
}

export const KEY = [0x37, 0xfa, 0x21, 0x3d] as const;

/** A frame with the given first byte (FIN, reserved bits, opcode). */
export function frame(
  first: number,
  payload: Uint8Array | string | readonly number[] = "",
  shape: FrameShape = {},
): Uint8Array {
  const body = typeof payload === "string" ? new TextEncoder().encode(payload) : Uint8Array.from(payload);
  const declared = shape.declared ?? BigInt(body.length);
  const bits = shape.lengthBits ?? (declared < 126n ? 7 : declared < 65_536n ? 16 : 64);
  const bytes = [first];
  const maskBit = shape.key === undefined ? 0 : 0x80;
  bytes.push(maskBit | (bits === 7 ? Number(declared) : bits === 16 ? 126 : 127));
  if (bits !== 7)
    for (let shift = bits - 8; shift >= 0; shift -= 8)
      bytes.push(Number((declared >> BigInt(shift)) & 0xffn));
  const { key } = shape;
  if (key !== undefined) bytes.push(...key);
  const whole = new Uint8Array(bytes.length + body.length);
  whole.set(bytes);
  for (let index = 0; index < body.length; index++) {
    whole[bytes.length + index] = key === undefined ? body[index] : body[index] ^ key[index & 3];
  }
  return whole;
}

/** Several byte strings as one. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A generator of numbers in [0, 1) that repeats for a seed (mulberry32's shape: multiply, xor, shift). */
export function seeded(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** Cuts bytes at random places, empty portions included. */
export function randomSplit(bytes: Uint8Array, random: () => number, meanBytes: number): Uint8Array[] {
  const portions: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const next = Math.min(bytes.length, at + Math.floor(random() * 2 * meanBytes));
    portions.push(bytes.subarray(at, next));
    at = next;
  }
  return portions;
}

/** One portion per byte. */
export function byteByByte(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (_, index) => bytes.subarray(index, index + 1));
}
