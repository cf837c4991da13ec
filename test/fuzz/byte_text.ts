/** Bytes as texts and back: to be compared, printed and written down in sources. */

// By its standard this is windows-1252, in which, too, different bytes are different characters: enough for comparing.
const decoder = new TextDecoder("latin1");
const encoder = new TextEncoder();

/** A text that is different for different bytes, for comparing. */
export function bytesKey(bytes: Uint8Array, start = 0, end: number = bytes.length): string {
  return decoder.decode(bytes.subarray(start, end));
}

/** Lower-case hexadecimal digits. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** Bytes from hexadecimal digits; blanks between them are for people. */
export function fromHex(text: string): Uint8Array {
  const digits = text.replaceAll(" ", "");
  return Uint8Array.from({ length: digits.length / 2 }, (_, index) =>
    Number.parseInt(digits.slice(index * 2, index * 2 + 2), 16),
  );
}

/** UTF-8. */
export function fromText(text: string): Uint8Array {
  return encoder.encode(text);
}
