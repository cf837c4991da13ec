/** The runtime's own CRC-32, through `node:zlib`. */
import * as zlib from "node:zlib";
/** CRC-32 of bytes; undefined before Node 20.15, which has none. */
export const nativeCrc32 = zlib.crc32;
