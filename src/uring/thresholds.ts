/**
 * From how many bytes on a byte loop is worth a call into C, per runtime. Measured with `bench/ffi.ts`
 * (the crossover, rounded up): a call costs about 3 ns on Bun, 5 ns on Deno, 30 ns on Node.
 */

/** Thresholds of one runtime, in bytes. */
export interface Thresholds {
  /** Unmasking inside the block. */
  readonly unmaskBytes: number;
  /** UTF-8 checks inside the block. */
  readonly utf8Bytes: number;
  /** Either, on other buffers: the call takes a view, which is made for it. */
  readonly foreignBytes: number;
}

/** By `Runtime.name`. */
export const THRESHOLDS: Readonly<Record<"bun" | "deno" | "node", Thresholds>> = {
  bun: { unmaskBytes: 32, utf8Bytes: 32, foreignBytes: 256 },
  deno: { unmaskBytes: 32, utf8Bytes: 32, foreignBytes: 256 },
  node: { unmaskBytes: 96, utf8Bytes: 96, foreignBytes: 512 },
};
