/** Strings to and from bytes, with a path for short ASCII that needs no call into the runtime. */

/** Up to this many characters a loop beats `TextEncoder.encodeInto` (measured on V8 and JSC). */
const LOOP_TO_CHARS = 64;

/** Up to this many bytes building the string ourselves beats `TextDecoder` (measured on V8 and JSC). */
const LOOP_TO_BYTES = 32;

/** Arguments per call that every engine's stack takes. */
const APPLY_BYTES = 4096;

const encoder = new TextEncoder();
/** Keeps a leading U+FEFF: in a WebSocket message it is part of the text, not a byte-order mark. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

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
  // `TextDecoder("latin1")` is windows-1252 by its standard, which maps 0x80–0x9F elsewhere.
  let text = "";
  for (let at = start; at < end; at += APPLY_BYTES) {
    const portion = bytes.subarray(at, Math.min(at + APPLY_BYTES, end));
    text += String.fromCharCode.apply(null, portion as unknown as number[]);
  }
  return text;
}

/**
 * Reads `bytes[start, end)` as UTF-8.
 *
 * @returns The text, or undefined when the bytes are not UTF-8.
 */
export function readUtf8(bytes: Uint8Array, start: number, end: number): string | undefined {
  if (end - start <= LOOP_TO_BYTES) {
    let text = "";
    let index = start;
    for (; index < end && bytes[index] < 0x80; index++) text += String.fromCharCode(bytes[index]);
    if (index === end) return text;
  }
  try {
    return decoder.decode(bytes.subarray(start, end));
  } catch {
    return undefined;
  }
}
