/**
 * The two byte loops that dominate big messages, as a parameter: the protocol runs them in
 * TypeScript; the io_uring transport hands large ranges to SIMD code in the shim.
 */

/** Byte loops over a range of a buffer. Ranges are half-open: `start <= i < end`. */
export interface Kernels {
  /**
   * XORs the range in place with a 4-byte mask (RFC 6455 §5.3).
   *
   * @param key - The mask's four wire bytes read as a little-endian u32, rotated so that its lowest
   *   byte applies to `bytes[start]`. See `rotateKey` in mask.ts.
   */
  unmask(bytes: Uint8Array, start: number, end: number, key: number): void;

  /** Up to this many bytes a loop of the caller's beats a call of `unmask`. */
  readonly shortBytes: number;

  /** A view of the same memory with the same indices, for `unmaskShort`. Cheap where the same buffer comes again and again. */
  viewOf(bytes: Uint8Array): DataView;

  /**
   * Checks UTF-8 (RFC 3629).
   *
   * @returns 0: valid and complete. 1 to 3: valid so far, and the last 1 to 3 bytes begin a sequence that
   *   is cut off. -1: not UTF-8, whatever may follow.
   */
  utf8(bytes: Uint8Array, start: number, end: number): number;
}
