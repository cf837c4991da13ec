/** The runtime's own CRC-32, through `node:zlib`. */

import * as zlib from "node:zlib";

/** CRC-32 of bytes; undefined before Node 20.15, which has none. */
export const nativeCrc32: ((bytes: Uint8Array) => number) | undefined = (
  zlib as { readonly crc32?: (bytes: Uint8Array) => number }
).crc32;
