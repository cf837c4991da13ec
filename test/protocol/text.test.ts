import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { unmask } from "../../src/protocol/mask.ts";
import {
  readLatin1,
  readUtf8,
  utf8Bound,
  writeAscii,
  writeLatin1,
  writeUtf8,
} from "../../src/protocol/text.ts";

function written(text: string): Uint8Array {
  const out = new Uint8Array(utf8Bound(text) + 3);
  return out.subarray(3, writeUtf8(text, out, 3));
}

describe("text", () => {
  it("writes as the platform does, within the bound", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
        expect(written(text)).toEqual(new TextEncoder().encode(text));
      }),
    );
    for (const text of [
      "",
      "a",
      "x".repeat(48),
      "x".repeat(49),
      "ü",
      `${"x".repeat(47)}ü`,
      "漢".repeat(100),
    ]) {
      expect(written(text)).toEqual(new TextEncoder().encode(text));
    }
  });

  it("writes short ASCII masked in one pass, and says when a text is something else", () => {
    const out = new Uint8Array(64);
    for (const key of [0, 1, 0x8040_2010, 0xffff_ffff]) {
      for (let size = 0; size <= 32; size++) {
        const text = "The quick brown fox jumps over it".slice(0, size);
        out.fill(0xee);
        const end = writeAscii(text, out, 3, key);
        expect(end).toBe(3 + size);
        expect([out[2], out[end]]).toEqual([0xee, 0xee]);
        unmask(out, 3, end, key);
        expect(new TextDecoder().decode(out.subarray(3, end))).toBe(text);
      }
    }
    for (const text of ["ü", "abcdé", "abc漢", "\ud800", "\u0100", `${"x".repeat(31)}\x80`, "x".repeat(33)]) {
      expect(writeAscii(text, out, 3, 7)).toBe(-1);
    }
  });

  it("writes U+FFFD for a lone surrogate", () => {
    for (const text of ["\ud800", "a\udc00b", "\ud83d", `${"x".repeat(100)}\ud800`]) {
      expect(readUtf8(written(text), 0, written(text).length)).toBe(
        text.replace(/[\ud800-\udfff]/, "\ufffd"),
      );
    }
  });

  it("reads what it wrote", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
        const bytes = written(text);
        expect(readUtf8(bytes, 0, bytes.length)).toBe(text);
      }),
    );
  });

  it("tells a replacement character that was sent from one that stands for broken bytes", () => {
    for (const text of ["\ufffd", `${"x".repeat(100)}\ufffd`, `\ufffd${"漢".repeat(40)}`]) {
      const bytes = new TextEncoder().encode(text);
      expect(readUtf8(bytes, 0, bytes.length)).toBe(text);
      expect(readUtf8(bytes, 0, bytes.length - 1)).toBe(undefined);
    }
  });

  it("reads every length of ASCII around the limits of its short path", () => {
    const bytes = new Uint8Array(40).map((_, index) => 0x41 + index);
    for (let size = 0; size <= 37; size++) {
      expect(readUtf8(bytes, 3, 3 + size)).toBe(new TextDecoder().decode(bytes.subarray(3, 3 + size)));
    }
  });

  it("keeps a leading U+FEFF and NUL", () => {
    for (const text of ["\ufeff", "\ufeffabc", `\ufeff${"x".repeat(100)}`, "\0", "a\0b"]) {
      const bytes = new TextEncoder().encode(text);
      expect(readUtf8(bytes, 0, bytes.length)).toBe(text);
    }
  });

  it("answers undefined for bytes that are not UTF-8", () => {
    for (const bytes of [[0xff], [0x61, 0xc3], [0xed, 0xa0, 0x80], [...new Uint8Array(100), 0x80]]) {
      expect(readUtf8(Uint8Array.from(bytes), 0, bytes.length)).toBe(undefined);
    }
    const bytes = new TextEncoder().encode("after a failure");
    expect(readUtf8(bytes, 0, bytes.length)).toBe("after a failure");
  });

  it("reads and writes every byte as one character", () => {
    const all = Uint8Array.from({ length: 20_000 }, (_, index) => index);
    const text = readLatin1(all, 0, all.length);
    expect(text.slice(0x80, 0x84)).toBe("\x80\x81\x82\x83");
    const out = new Uint8Array(all.length);
    expect(writeLatin1(text, out, 0)).toBe(all.length);
    expect(out).toEqual(all);
  });
});
