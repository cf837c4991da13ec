/** The one symbol table: every function of ffi/include/ringwire.h with its arguments. All of them return an i32. */

/** The ABI this code is written against (`RW_ABI_VERSION`). */
export const ABI_VERSION = 6;

/** Opened first and alone, so that a shim of another version is told by its number and not by a missing symbol. */
export const ABI_SYMBOLS = {
  rw_abi_version: [],
} as const;

/** Everything else. */
export const SYMBOLS = {
  rw_ring_open: ["buffer", "u32"],
  rw_ring_close: ["u32"],
  rw_turn: ["u32", "u32", "u32", "i32"],
  rw_copy: ["u32"],
  rw_listen: ["u32"],
  rw_connect: ["u32"],
  rw_unlisten: ["u32", "u32"],
  rw_address: ["u32", "u32", "u32"],
  rw_wake_open: ["u32", "u32"],
  rw_wake_accept: ["u32"],
  rw_unmask: ["u32", "u32", "u32", "u32"],
  rw_unmask_at: ["buffer", "u32", "u32"],
  rw_utf8: ["u32", "u32", "u32"],
  rw_utf8_at: ["buffer", "u32"],
  rw_copy_crc32: ["buffer", "u32", "u32", "buffer", "u32", "u32"],
  rw_kernel_set: [],
  rw_kernel_select: ["u32"],
  rw_deflate_open: ["u32", "u32", "u32"],
  rw_inflate_open: ["u32"],
  rw_codec_close: ["u32"],
  rw_codec_bytes: ["u32"],
  rw_deflate: ["u32", "buffer", "u32", "u32", "buffer", "u32", "u32", "u32"],
  rw_tls_open: ["u32", "buffer", "u32", "buffer", "u32"],
  rw_tls_update: ["u32", "buffer", "u32", "buffer", "u32"],
  rw_tls_close: ["u32"],
  rw_tls_version: ["buffer", "u32"],
  rw_tls_describe: ["u32", "u32"],
  rw_tls_peer_certificate: ["u32", "u32", "buffer", "u32"],
  rw_inflate: ["u32", "buffer", "u32", "u32", "buffer", "u32", "u32", "u32"],
} as const;
