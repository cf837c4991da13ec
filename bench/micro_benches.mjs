/**
 * Micro benches: programs that print their own tables, on every runtime, or on Node only and when asked for.
 */
export const MICRO_BENCHES = {
  promises: {
    title: "what people expect of a WebSocket library, with every option at its default",
    source: "bench/promises.mjs",
    needsShim: true,
  },
  ffi: {
    title: "calls into the shim, and from how many bytes on its loops are faster than ours in TypeScript",
    source: "bench/ffi.ts",
    needsShim: true,
  },
  ktls: {
    title: "records made by the kernel against records made by OpenSSL, in a virtual machine",
    source: "bench/ktls.mjs",
    needsShim: true,
    isForNode: true,
  },
};
