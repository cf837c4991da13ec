import { describe, expect, it } from "vitest";
import { readUtf8 } from "../../src/protocol/text.ts";
import { bufferUtf8Reader } from "../../src/runtime/buffer_text.ts";
import { runtime } from "../../src/runtime/detect.ts";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const PIECES = [
  "a",
  "Hello, World!\n",
  "ü",
  "Köln ",
  "漢字",
  "😀",
  "\u0000",
  "\ufeff",
  "\ufffd",
  "\u{10ffff}",
];

describe("texts of Buffer", () => {
  it("are what TextDecoder makes of them, whatever their length and characters", () => {
    for (const piece of PIECES) {
      for (const count of [1, 2, 7, 40, 300, 3_000]) {
        const bytes = new TextEncoder().encode(`<${piece.repeat(count)}>`);
        for (const read of [runtime.readUtf8, bufferUtf8Reader(0), bufferUtf8Reader(Infinity)]) {
          expect(read(bytes, 0, bytes.length)).toBe(`<${piece.repeat(count)}>`);
          expect(read(bytes, 1, bytes.length - 1)).toBe(piece.repeat(count));
        }
      }
    }
  });

  it("keep a byte-order mark at the start", () => {
    const bytes = new TextEncoder().encode("\ufeffmark");
    expect(runtime.readUtf8(bytes, 0, bytes.length)).toBe("\ufeffmark");
  });

  it("read a part of a buffer's view", () => {
    const view = new TextEncoder().encode("....between....").subarray(2);
    expect(runtime.readUtf8(view, 2, 9)).toBe("between");
  });

  it("are one character a byte where they are read as Latin-1, whatever the bytes", () => {
    const view = Uint8Array.from({ length: 600 }, (_, index) => index).subarray(3);
    for (const [start, end] of [
      ...[
        [0, 0],
        [0, 597],
        [125, 126],
        [124, 300],
      ],
    ]) {
      const units = Array.from(view.subarray(start, end));
      expect(runtime.readLatin1(view, start, end)).toBe(String.fromCharCode(...units));
    }
  });

  it("show every kind of broken UTF-8, at any length, so that it is refused", () => {
    const broken = [
      [0xff],
      [0x80],
      [0xc0, 0x80],
      [0xc3],
      [0xe2, 0x82],
      [0xed, 0xa0, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
    ];
    for (const wrong of broken) {
      for (const before of [0, 1, 9, 60, 200, 2_000]) {
        const bytes = new Uint8Array(before + wrong.length + 3).fill(0x61);
        bytes.set(wrong, before);
        expect(runtime.readUtf8(bytes, 0, bytes.length)).toContain("\ufffd");
        expect(decoder.decode(bytes)).toContain("\ufffd");
        expect(readUtf8(bytes, 0, bytes.length, runtime.readUtf8)).toBe(undefined);
      }
    }
  });
});
