/** The distances in a DEFLATE stream, against zlib's compressor, whose window is known. */

import { constants, deflateRawSync } from "node:zlib";
import { expect, test } from "vitest";
import { ReachChecker } from "./reach_checker.ts";
import { GERMAN_DATA, HTML_DATA, JSON_DATA, PDF_DATA, pieceOf } from "./test_data.ts";

const { Z_DEFAULT_STRATEGY, Z_FIXED, Z_HUFFMAN_ONLY, Z_SYNC_FLUSH } = constants;
const SIZE = 50_000;

function compressed(
  bytes: Uint8Array,
  windowBits: number,
  strategy: number = Z_DEFAULT_STRATEGY,
): Uint8Array {
  return deflateRawSync(bytes, { windowBits, strategy, finishFlush: Z_SYNC_FLUSH });
}

for (const [name, data] of Object.entries({ JSON_DATA, HTML_DATA, GERMAN_DATA, PDF_DATA })) {
  for (const windowBits of [9, 10, 12, 15]) {
    for (const [kind, strategy] of Object.entries({ Z_DEFAULT_STRATEGY, Z_FIXED, Z_HUFFMAN_ONLY })) {
      test(`${name} with a window of ${windowBits} bits and ${kind} keeps to it and keeps its size`, () => {
        const bytes = compressed(pieceOf(data(), 1, SIZE), windowBits, strategy);
        expect(new ReachChecker(2 ** windowBits, false).check(bytes)).toBe(SIZE);
      });
    }
  }
}

test("a compressor with a larger window is found", () => {
  const bytes = compressed(pieceOf(JSON_DATA(), 0, SIZE), 10);
  expect(() => new ReachChecker(512, true).check(bytes)).toThrow(/exceeds the window of 512 B/);
});

/** Fixed block: the literal "a", a match of 3 bytes at distance 1, end of block; then the tail. */
const MATCH = Uint8Array.of(0x4a, 0x04, 0x02, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff);
/** The same without the literal: what zlib makes when it knows "aaaa" already. */
const MATCH_ALONE = Uint8Array.of(0x02, 0x02, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff);

test("a distance to the byte before is fine, and nothing may lie before the first message", () => {
  expect(new ReachChecker(512, true).check(MATCH)).toBe(4);
  expect(() => new ReachChecker(512, true).check(MATCH_ALONE)).toThrow(/exceeds the 0 B of context/);
});

test("earlier messages are context with takeover, and none without", () => {
  const keeps = new ReachChecker(512, true);
  const forgets = new ReachChecker(512, false);
  keeps.check(MATCH);
  forgets.check(MATCH);
  expect(keeps.check(MATCH_ALONE)).toBe(3);
  expect(() => forgets.check(MATCH_ALONE)).toThrow(/exceeds the 0 B of context/);
});

test("what is no DEFLATE is refused", () => {
  const bytes = compressed(pieceOf(JSON_DATA(), 0, SIZE), 15);
  expect(() => new ReachChecker(32_768, true).check(bytes.subarray(0, 999))).toThrow(/cut off/);
  expect(() => new ReachChecker(32_768, true).check(Uint8Array.of(6))).toThrow(/reserved type/);
  expect(() => new ReachChecker(32_768, true).check(Uint8Array.of(0, 1, 0, 0, 0))).toThrow(/length is wrong/);
});
