/** Takes a stream apart into its frames, with BigInts and without hurry; the counterpart of `frame` in test/protocol/frames.ts. */

/** A frame as it stands on the wire. */
export interface WireFrame {
  /** FIN, reserved bits and opcode. */
  readonly first: number;
  /** Undefined: not masked. */
  readonly key: number | undefined;
  /** Whether its length takes no more bytes than needed. */
  readonly isShortest: boolean;
  /** Unmasked. */
  readonly payload: Uint8Array;
}

/**
 * Reads frames until the bytes are used up.
 *
 * @throws RangeError when the last one is cut off.
 */
export function readFrames(wire: Uint8Array): WireFrame[] {
  const frames: WireFrame[] = [];
  let at = 0;
  const take = (count: number): Uint8Array => {
    if (at + count > wire.length) throw new RangeError(`the stream ends inside the frame ${frames.length}`);
    at += count;
    return wire.slice(at - count, at);
  };
  const bigEndian = (bytes: Uint8Array): bigint =>
    bytes.reduce((value, byte) => value * 256n + BigInt(byte), 0n);
  while (at < wire.length) {
    const [first, second] = take(2);
    const short = second & 0x7f;
    const size = short < 126 ? BigInt(short) : bigEndian(take(short === 126 ? 2 : 8));
    const isShortest = short < 126 || (short === 126 ? size >= 126n : size >= 65_536n);
    const mask = second >= 0x80 ? take(4) : undefined;
    const payload = take(Number(size));
    if (mask !== undefined)
      for (let index = 0; index < payload.length; index++) payload[index] ^= mask[index % 4];
    const key = mask === undefined ? undefined : new DataView(mask.buffer).getUint32(0, true);
    frames.push({ first, key, isShortest, payload });
  }
  return frames;
}
