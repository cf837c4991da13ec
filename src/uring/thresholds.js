/**
 * From how many bytes on a byte loop is worth a call into C, per runtime. Measured with `bench/ffi.ts`
 * (the crossover): a call that does nothing costs 1.4 ns on Bun 1.4, 3.8 ns on Deno 2.9, 16 ns on Node 20 with koffi,
 * `rw_unmask` of 16 bytes 6, 7 and 43 ns. A view for the pointer forms adds about 25 ns everywhere.
 */
/** By `Runtime.name`. */
export const THRESHOLDS = {
    bun: { unmaskBytes: 32, utf8Bytes: 24, foreignBytes: 128 },
    deno: { unmaskBytes: 64, utf8Bytes: 16, foreignBytes: 128 },
    node: { unmaskBytes: 384, utf8Bytes: 64, foreignBytes: 256 },
};
