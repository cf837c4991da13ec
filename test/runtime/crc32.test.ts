import { expect, test } from "vitest";
import { crc32, crc32Words } from "../../src/runtime/crc32.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("the checksum is that of gzip and PNG, by tables and by the runtime alike", () => {
  expect(crc32(bytes("123456789"), 0, 9)).toBe(0xcbf43926);
  expect(crc32(bytes(""), 0, 0)).toBe(0);
  const long = "The quick brown fox jumps over the lazy dog. ".repeat(3);
  expect(crc32(bytes(`..${long}.`), 2, 2 + long.length)).toBe(slowCrc32(bytes(long)));
  const words = new Int32Array([0x34333231, 0x38373635, -1]);
  expect(crc32Words(words)).toBe(slowCrc32(new Uint8Array(words.buffer)));
});

/** Bit by bit, as the polynomial says. */
function slowCrc32(input: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of input) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ ((sum & 1) * 0xedb88320);
  }
  return ~sum >>> 0;
}
