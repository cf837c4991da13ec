/** Strings to and from bytes, with a path for short ASCII that needs no call into the runtime. */
import { utf8 } from "./utf8.js";
// Where a loop stops paying: the measured cross-overs of the three runtimes lie between 32 and 80 characters
// for writing, and between 12 and 24 bytes (on one of them beyond 100) for reading.
const LOOP_TO_CHARS = 48;
const LOOP_TO_BYTES = 16;
/** Arguments per call that every engine's stack takes. */
const APPLY_BYTES = 4096;
const encoder = new TextEncoder();
/** Keeps a leading U+FEFF: in a WebSocket message it is part of the text, not a byte-order mark. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
/** What a decoder writes for bytes that are not UTF-8. */
const REPLACEMENT = "\ufffd";
/** Room that `writeUtf8` may need for `text`, in bytes: three per UTF-16 unit. */
export function utf8Bound(text) {
    return text.length * 3;
}
/**
 * Writes `text` as UTF-8. A lone surrogate becomes U+FFFD.
 *
 * @param out - Where to; needs `utf8Bound(text)` bytes from `at`.
 * @returns The index after the last byte written.
 */
export function writeUtf8(text, out, at) {
    const length = text.length;
    if (length <= LOOP_TO_CHARS) {
        let index = 0;
        for (; index < length; index++) {
            const unit = text.charCodeAt(index);
            if (unit >= 0x80)
                break;
            out[at + index] = unit;
        }
        if (index === length)
            return at + length;
    }
    return at + encoder.encodeInto(text, out.subarray(at)).written;
}
/**
 * Writes a string of characters up to U+00FF, one byte each: HTTP heads, whose field values may hold such bytes.
 *
 * @param out - Where to; needs `text.length` bytes from `at`.
 * @returns The index after the last byte written.
 */
export function writeLatin1(text, out, at) {
    for (let index = 0; index < text.length; index++)
        out[at + index] = text.charCodeAt(index);
    return at + text.length;
}
/** Reads bytes as characters U+0000 to U+00FF: HTTP heads. */
export function readLatin1(bytes, start, end) {
    if (end - start <= LOOP_TO_BYTES)
        return readShort(bytes, start, end);
    if (isAscii(bytes, start, end))
        return decoder.decode(bytes.subarray(start, end));
    // `TextDecoder("latin1")` is windows-1252 by its standard, which maps 0x80–0x9F elsewhere.
    let text = "";
    for (let at = start; at < end; at += APPLY_BYTES) {
        const portion = bytes.subarray(at, Math.min(at + APPLY_BYTES, end));
        text += String.fromCharCode.apply(null, portion);
    }
    return text;
}
/**
 * Reads `bytes[start, end)` as UTF-8.
 *
 * @returns The text, or undefined when the bytes are not UTF-8.
 */
export function readUtf8(bytes, start, end) {
    if (end - start <= LOOP_TO_BYTES && isAscii(bytes, start, end))
        return readShort(bytes, start, end);
    // Not a fatal decoder: on one runtime that takes two to four times as long. Without a replacement character in the
    // result, which engines rule out at once in a latin1 string, the bytes were UTF-8. With one, look again.
    const text = decoder.decode(bytes.subarray(start, end));
    return text.includes(REPLACEMENT) && utf8(bytes, start, end) !== 0 ? undefined : text;
}
function isAscii(bytes, start, end) {
    let seen = 0;
    for (let at = start; at < end; at++)
        seen |= bytes[at];
    return seen < 0x80;
}
/** A character for each byte. */
function readShort(bytes, start, end) {
    let text = "";
    let at = start;
    // In groups, because each `+=` makes a string.
    for (; end - at >= 8; at += 8) {
        text += String.fromCharCode(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3], bytes[at + 4], bytes[at + 5], bytes[at + 6], bytes[at + 7]);
    }
    if (end - at >= 4) {
        text += String.fromCharCode(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]);
        at += 4;
    }
    for (; at < end; at++)
        text += String.fromCharCode(bytes[at]);
    return text;
}
