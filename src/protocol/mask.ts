/**
 * Masking (RFC 6455 §5.3) in TypeScript. XOR is its own inverse: the same call masks and unmasks.
 *
 * A key is the mask's four wire bytes read as a little-endian 32-bit number; its sign does not matter here.
 */

/** From here a view over words pays: the measured cross-overs of the runtimes are 80, 120 and 192. */
const WORDS_FROM_BYTES = 128;

const LITTLE_ENDIAN: boolean = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

/**
 * The key for a range that begins `by` bytes into the payload.
 *
 * @param key - The key as it applies to the payload's first byte.
 * @param by - Bytes of the payload that come before the range.
 * @returns An unsigned 32-bit number.
 */
export function rotateKey(key: number, by: number): number {
  // A 64-bit frame length exceeds what `<<` takes, but `& 3` of it is right below 2^53 all the same.
  const bits = (by & 3) << 3;
  return bits === 0 ? key >>> 0 : ((key >>> bits) | (key << (32 - bits))) >>> 0;
}

/**
 * XORs `bytes[start, end)` in place.
 *
 * @param key - The key, rotated so that its lowest byte applies to `bytes[start]`.
 */
export function unmask(bytes: Uint8Array, start: number, end: number, key: number): void {
  if (end - start < WORDS_FROM_BYTES) {
    unmaskBytes(bytes, start, end, key);
    return;
  }
  // Typed arrays of words must begin at a multiple of four of their buffer.
  const from = start + (-(bytes.byteOffset + start) & 3);
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + from, (end - from) >>> 2);
  unmaskWords(bytes, words, from, start, end, key);
}

function unmaskBytes(bytes: Uint8Array, start: number, end: number, key: number): void {
  const key1 = key >>> 8;
  const key2 = key >>> 16;
  const key3 = key >>> 24;
  let at = start;
  for (const last = end - 3; at < last; at += 4) {
    bytes[at] ^= key;
    bytes[at + 1] ^= key1;
    bytes[at + 2] ^= key2;
    bytes[at + 3] ^= key3;
  }
  if (at < end) bytes[at] ^= key;
  if (at + 1 < end) bytes[at + 1] ^= key1;
  if (at + 2 < end) bytes[at + 2] ^= key2;
}

/**
 * XORs a range of at least four bytes in place, through words that somebody has a view of.
 *
 * @param words - A view of the same memory, whose first word is `bytes[origin, origin + 4)`.
 */
export function unmaskWords(
  bytes: Uint8Array,
  words: Int32Array,
  origin: number,
  start: number,
  end: number,
  key: number,
): void {
  if (!LITTLE_ENDIAN) {
    unmaskBytes(bytes, start, end, key);
    return;
  }
  const head = (origin - start) & 3;
  const from = start + head;
  unmaskBytes(bytes, start, from, key);
  const wordKey = rotateKey(key, head) | 0;
  let at = (from - origin) >>> 2;
  const last = at + ((end - from) >>> 2);
  for (const lastEight = last - 7; at < lastEight; at += 8) {
    words[at] ^= wordKey;
    words[at + 1] ^= wordKey;
    words[at + 2] ^= wordKey;
    words[at + 3] ^= wordKey;
    words[at + 4] ^= wordKey;
    words[at + 5] ^= wordKey;
    words[at + 6] ^= wordKey;
    words[at + 7] ^= wordKey;
  }
  for (; at < last; at++) words[at] ^= wordKey;
  unmaskBytes(bytes, origin + (last << 2), end, wordKey);
}

/**
 * XORs a short range in place, a word at a time wherever it begins: two to three times as fast as by bytes, once there is a
 * view (making one costs as much as 64 bytes).
 *
 * @param view - A view of the same memory with the same indices; see `Kernels.viewOf`.
 * @returns Its words OR-ed: all the range's bytes are ASCII if no top bit of a byte is set. See `isAscii`.
 */
export function unmaskShort(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  key: number,
): number {
  let seen = 0;
  let at = start;
  for (const last = end - 3; at < last; at += 4) {
    const word = view.getInt32(at, true) ^ key;
    view.setInt32(at, word, true);
    seen |= word;
  }
  for (let rest = key; at < end; at++, rest >>>= 8) {
    const byte = bytes[at] ^ (rest & 0xff);
    bytes[at] = byte;
    seen |= byte;
  }
  return seen;
}

/**
 * Copies `bytes[start, end)` to `bytes[at …)`, which must not overlap, and XORs the copy: a short message is forwarded in one
 * pass. Key 0 copies only.
 *
 * @param view - A view of the same memory with the same indices; see `Kernels.viewOf`.
 */
export function copyMasked(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  at: number,
  key: number,
): void {
  // `| 0` spares V8 an overflow check per word.
  const shift = (at - start) | 0;
  let index = start | 0;
  for (const last = (end - 3) | 0; index < last; index = (index + 4) | 0) {
    view.setInt32((index + shift) | 0, view.getInt32(index, true) ^ key, true);
  }
  for (let rest = key; index < end; index++, rest >>>= 8) bytes[index + shift] = bytes[index] ^ (rest & 0xff);
}

/** Whether bytes that `unmaskShort` has seen are all below 0x80. */
export function isAscii(seen: number): boolean {
  return (seen & 0x8080_8080) === 0;
}

/** The key whose wire bytes begin at `at`, as an unsigned number. */
export function readKey(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}
