/** Received messages as lines for people. */

const MAX_HEX_BYTES = 64;

/** Binary content: its size, and the first bytes in hexadecimal. */
export function describeBytes(bytes: Uint8Array): string {
  let hex = "";
  for (const byte of bytes.subarray(0, MAX_HEX_BYTES)) hex += byte.toString(16).padStart(2, "0");
  const more = bytes.length > MAX_HEX_BYTES ? "…" : "";
  return `<${bytes.length} ${bytes.length === 1 ? "byte" : "bytes"}>${hex === "" ? "" : ` ${hex}${more}`}`;
}

/**
 * Text as a terminal may show it. A peer's control characters would move the cursor, change the title or
 * worse: they become `\x1b` and the like; line ends and tabs stay.
 */
export function escapeControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}
