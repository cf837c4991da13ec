/**
 * The two transformations of permessage-deflate (RFC 7692 §7.2), as parameters: the protocol says when a message is compressed
 * or restored; zlib in the shim or in the runtime does it. All calls are synchronous, so that messages keep their order.
 */

/** A message was restored; it lies in `output[start, end)`. */
export const INFLATE_DONE = 0;
/** It would be larger than the limit. Nothing beyond the limit was kept. */
export const INFLATE_TOO_LARGE = 1;
/** The bytes are no DEFLATE stream, or refer to bytes before the window. */
export const INFLATE_CORRUPT = 2;

/** Restores the messages of one connection, in order. After anything but `INFLATE_DONE` it is of no more use. */
export interface Inflater {
  /** Where the last message is: valid until the next `begin` of any inflater of the same codec, unless `owned`. */
  output: Uint8Array;
  start: number;
  end: number;
  /** `output` was made for this message and is given away: the caller may keep it. */
  owned: boolean;

  /** A new read begins: messages of earlier ones are no longer looked at, and their memory is used again. */
  begin(): void;

  /**
   * Restores one message. Its payload comes as received: the four bytes 00 00 FF FF that the sender cut off (§7.2.2) are
   * supplied here, and a final block (BFINAL, §7.2.3.4) is accepted.
   *
   * @param maxBytes - Largest result; checked while inflating, never only afterwards.
   * @returns One of the `INFLATE_` constants.
   */
  inflate(bytes: Uint8Array, start: number, end: number, maxBytes: number): number;

  /** Gives its memory back. Idempotent. */
  close(): void;
}

/** Compresses the messages of one connection, in order. */
export interface Deflater {
  /** Where the last result is: `output[0, n)`, valid until the next call of any deflater of the same codec. */
  output: Uint8Array;

  /**
   * Compresses one message, ready to be a payload: flushed to a byte boundary and without the trailing 00 00 FF FF (§7.2.1).
   *
   * @returns Size of the result in bytes.
   */
  deflate(bytes: Uint8Array, start: number, end: number): number;

  /** Gives its memory back. Idempotent. */
  close(): void;
}

/** How one direction is compressed. */
export interface DeflateParameters {
  /** The window is 2^windowBits bytes, 8 to 15 (§7.1.2). */
  readonly windowBits: number;
  /** Whether a message may refer to those before it (§7.1.1: "context takeover"). Without it, all connections share one state. */
  readonly takeover: boolean;
}

/** How hard the sender tries; both are zlib's, and no business of the peer. */
export interface DeflateEffort {
  /** 1 (fast) to 9 (small). */
  readonly level: number;
  /** 1 (little) to 9 (fast): memory for the state, 2^(memoryLevel + 9) bytes. */
  readonly memoryLevel: number;
}

/**
 * Copies `from[start, end)` to `to[at, …)` and puts its CRC-32, as zlib and gzip have it, at `to[sumAt]`, four bytes, the lowest first.
 * Where both are the same place, nothing is copied; else they must not overlap.
 */
export type CopyCrc32 = (
  from: Uint8Array,
  start: number,
  end: number,
  to: Uint8Array,
  at: number,
  sumAt: number,
) => void;

/** Makes the codecs of one loop. */
export interface Codec {
  /** What it is, for people: "the shim", "zlib 1.3.1 of the runtime". */
  readonly name: string;
  openDeflater(parameters: DeflateParameters, effort: DeflateEffort): Deflater;
  openInflater(parameters: DeflateParameters): Inflater;
  /** For recordings. Needs no state, so it works on after `close`. */
  readonly copyCrc32: CopyCrc32;
  /** Gives back what connections without takeover share. Those with takeover are closed one by one. Idempotent. */
  close(): void;
}
