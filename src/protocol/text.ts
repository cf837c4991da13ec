/** Strings to and from bytes, with a path for short ASCII that needs no call into the runtime. */

import { utf8 } from "./utf8.ts";

// Where a loop stops paying: the measured cross-overs of the three runtimes lie between 32 and 80 characters
// for writing. Strings put together from parts are flattened later, which costs more than it saves from 8 bytes on where
// the runtime has a fast way to read.
const LOOP_TO_CHARS = 48;
const LOOP_TO_BYTES = 16;
const UTF8_LOOP_TO_BYTES = 8;
/** The same for `writeAscii`, against a writer of the runtime's and masking after it: 24 to 48. */
const ASCII_TO_CHARS = 32;

/** Arguments per call that every engine's stack takes. */
const APPLY_BYTES = 4096;

const encoder = new TextEncoder();
/** Keeps a leading U+FEFF: in a WebSocket message it is part of the text, not a byte-order mark. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** What a decoder writes for bytes that are not UTF-8. */
const REPLACEMENT = "\ufffd";

/** Room that `writeUtf8` may need for `text`, in bytes: three per UTF-16 unit. */
export function utf8Bound(text: string): number {
  return text.length * 3;
}

/**
 * Writes `text` as UTF-8. A lone surrogate becomes U+FFFD.
 *
 * @param out - Where to; needs `utf8Bound(text)` bytes from `at`.
 * @returns The index after the last byte written.
 */
export function writeUtf8(text: string, out: Uint8Array, at: number): number {
  const length = text.length;
  if (length <= LOOP_TO_CHARS) {
    let index = 0;
    for (; index < length; index++) {
      const unit = text.charCodeAt(index);
      if (unit >= 0x80) break;
      out[at + index] = unit;
    }
    if (index === length) return at + length;
  }
  return at + encoder.encodeInto(text, out.subarray(at)).written;
}

/**
 * Writes a short ASCII text masked, in one pass.
 *
 * @param out - Where to; needs `text.length` bytes from `at`.
 * @param key - The mask's wire bytes as a little-endian number; 0: none.
 * @returns The index after the last byte written; -1 when the text is longer or not ASCII, and what was written is of no use.
 */
export function writeAscii(text: string, out: Uint8Array, at: number, key: number): number {
  const length = text.length;
  if (length > ASCII_TO_CHARS) return -1;
  const key1 = key >>> 8;
  const key2 = key >>> 16;
  const key3 = key >>> 24;
  let seen = 0;
  let index = 0;
  for (const last = length - 3; index < last; index += 4) {
    const unit0 = text.charCodeAt(index);
    const unit1 = text.charCodeAt(index + 1);
    const unit2 = text.charCodeAt(index + 2);
    const unit3 = text.charCodeAt(index + 3);
    seen |= unit0 | unit1 | unit2 | unit3;
    out[at + index] = unit0 ^ key;
    out[at + index + 1] = unit1 ^ key1;
    out[at + index + 2] = unit2 ^ key2;
    out[at + index + 3] = unit3 ^ key3;
  }
  for (let rest = key; index < length; index++, rest >>>= 8) {
    const unit = text.charCodeAt(index);
    seen |= unit;
    out[at + index] = unit ^ rest;
  }
  return seen < 0x80 ? at + length : -1;
}

/**
 * Writes a string of characters up to U+00FF, one byte each: HTTP heads, whose field values may hold such bytes.
 *
 * @param out - Where to; needs `text.length` bytes from `at`.
 * @returns The index after the last byte written.
 */
export function writeLatin1(text: string, out: Uint8Array, at: number): number {
  for (let index = 0; index < text.length; index++) out[at + index] = text.charCodeAt(index);
  return at + text.length;
}

/** Reads bytes as characters U+0000 to U+00FF: HTTP heads. */
export function readLatin1(bytes: Uint8Array, start: number, end: number): string {
  if (end - start <= LOOP_TO_BYTES) return readShort(bytes, start, end);
  if (isAscii(bytes, start, end)) return decoder.decode(bytes.subarray(start, end));
  // `TextDecoder("latin1")` is windows-1252 by its standard, which maps 0x80–0x9F elsewhere.
  let text = "";
  for (let at = start; at < end; at += APPLY_BYTES) {
    const portion = bytes.subarray(at, Math.min(at + APPLY_BYTES, end));
    text += String.fromCharCode.apply(null, portion as unknown as number[]);
  }
  return text;
}

/** Reads UTF-8 with what a runtime has for it: U+FFFD for what is none. See `Runtime.readUtf8`. */
export type Utf8Reader = (bytes: Uint8Array, start: number, end: number) => string;

function decode(bytes: Uint8Array, start: number, end: number): string {
  return decoder.decode(bytes.subarray(start, end));
}

/**
 * Reads `bytes[start, end)` as UTF-8.
 *
 * @param read - The runtime's, where many texts come.
 * @returns The text, or undefined when the bytes are not UTF-8.
 */
export function readUtf8(
  bytes: Uint8Array,
  start: number,
  end: number,
  read: Utf8Reader = decode,
): string | undefined {
  if (end - start <= UTF8_LOOP_TO_BYTES && isAscii(bytes, start, end)) return readShort(bytes, start, end);
  // Not a fatal decoder: on one runtime that takes two to four times as long. Without a replacement character in the
  // result, which engines rule out at once in a latin1 string, the bytes were UTF-8. With one, look again.
  const text = read(bytes, start, end);
  return text.includes(REPLACEMENT) && utf8(bytes, start, end) !== 0 ? undefined : text;
}

function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  let seen = 0;
  for (let at = start; at < end; at++) seen |= bytes[at];
  return seen < 0x80;
}

/** A character for each byte. */
function readShort(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  let at = start;
  // In groups, because each `+=` makes a string.
  for (; end - at >= 8; at += 8) {
    text += String.fromCharCode(
      bytes[at],
      bytes[at + 1],
      bytes[at + 2],
      bytes[at + 3],
      bytes[at + 4],
      bytes[at + 5],
      bytes[at + 6],
      bytes[at + 7],
    );
  }
  if (end - at >= 4) {
    text += String.fromCharCode(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]);
    at += 4;
  }
  for (; at < end; at++) text += String.fromCharCode(bytes[at]);
  return text;
}
