import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { scalarKernels } from "../../src/protocol/scalar_kernels.ts";
import { Utf8Stream, utf8 } from "../../src/protocol/utf8.ts";
import { seeded } from "./frames.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });

function isUtf8(bytes: Uint8Array): boolean {
  try {
    decoder.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Whether some continuation makes it valid: a cut-off sequence needs at most three bytes more. */
function isPrefix(bytes: Uint8Array): boolean {
  const tails = [
    [],
    [0x80],
    [0xa0],
    [0x90],
    [0x80, 0x80],
    [0xa0, 0x80],
    [0x90, 0x80],
    [0x90, 0x80, 0x80],
    [0x80, 0x80, 0x80],
  ];
  return tails.some((tail) => isUtf8(Uint8Array.from([...bytes, ...tail])));
}

describe("UTF-8 check", () => {
  it("agrees with the platform on every sequence of two bytes, and on what may still follow", () => {
    for (let first = 0; first < 256; first++) {
      for (let second = 0; second < 256; second++) {
        const bytes = Uint8Array.of(first, second);
        const answer = utf8(bytes, 0, 2);
        expect(answer === 0).toBe(isUtf8(bytes));
        if (answer !== 0 && first >= 0x80) expect(answer > 0).toBe(isPrefix(bytes));
      }
    }
  });

  it("agrees with the platform on sequences of three and four bytes around every border", () => {
    const leads = [0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff];
    const borders = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff];
    for (const lead of leads) {
      for (const a of borders) {
        for (const b of borders) {
          const three = Uint8Array.of(lead, a, b);
          expect(utf8(three, 0, 3) === 0).toBe(isUtf8(three));
          if (utf8(three, 0, 3) > 0) expect(isPrefix(three)).toBe(true);
          for (const c of borders) {
            const four = Uint8Array.of(lead, a, b, c);
            expect(utf8(four, 0, 4) === 0).toBe(isUtf8(four));
          }
        }
      }
    }
  });

  it("says how many bytes of a cut-off sequence stand at the end", () => {
    const bytes = new TextEncoder().encode(`${"x".repeat(100)}😀`);
    expect([100, 101, 102, 103, 104].map((end) => utf8(bytes, 0, end))).toEqual([0, 1, 2, 3, 0]);
  });

  it("agrees with the platform on long texts with one byte changed", () => {
    const random = seeded(8);
    const base = new TextEncoder().encode("plain ascii for a while, then häßlich, 漢字 and 😀 ".repeat(6));
    for (let round = 0; round < 2000; round++) {
      const bytes = Uint8Array.from(base);
      bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      const start = Math.floor(random() * 8);
      expect(utf8(bytes, start, bytes.length) === 0).toBe(isUtf8(bytes.subarray(start)));
    }
  });

  it("finds the one bad byte in long ASCII, wherever it is", () => {
    for (let offset = 0; offset < 4; offset++) {
      for (let place = 0; place < 150; place++) {
        const bytes = new Uint8Array(160).fill(0x61).subarray(offset);
        bytes[place] = 0x80;
        expect(utf8(bytes, 0, bytes.length)).toBe(-1);
        expect(utf8(bytes, 0, place)).toBe(0);
      }
    }
  });
});

describe("UTF-8 stream", () => {
  it("takes any text in any portions", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), fc.integer(), (text, seed) => {
        const random = seeded(seed);
        const stream = new Utf8Stream(scalarKernels);
        const bytes = new TextEncoder().encode(text);
        for (let at = 0; at < bytes.length; ) {
          const next = Math.min(bytes.length, at + Math.floor(random() * 6));
          expect(stream.push(bytes, at, next)).toBe(true);
          at = next;
        }
        expect(stream.complete).toBe(true);
      }),
    );
  });

  it("fails at the first byte that makes it certain, fed byte by byte", () => {
    for (const [sequence, failsAt] of [
      [[0x61, 0xc0], 1],
      [[0xe0, 0x9f], 1],
      [[0xed, 0xa0], 1],
      [[0xf0, 0x8f], 1],
      [[0xf4, 0x90], 1],
      [[0xe2, 0x82, 0x41], 2],
      [[0xf0, 0x9f, 0x98, 0xff], 3],
    ] as const) {
      const stream = new Utf8Stream(scalarKernels);
      const bytes = Uint8Array.from(sequence);
      const answers = Array.from(bytes, (_, at) => stream.push(bytes, at, at + 1));
      expect(answers.indexOf(false)).toBe(failsAt);
    }
  });

  it("is incomplete inside a sequence and forgets it on reset", () => {
    const stream = new Utf8Stream(scalarKernels);
    expect(stream.push(Uint8Array.of(0xe0), 0, 1)).toBe(true);
    expect(stream.complete).toBe(false);
    stream.reset();
    expect(stream.complete).toBe(true);
    expect(stream.push(Uint8Array.of(0x61), 0, 1)).toBe(true);
  });
});
