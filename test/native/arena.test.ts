import { describe, expect, test } from "vitest";
import { Arena } from "../../src/native/arena.ts";

const READ_BYTES = 16_384;
const MAX_BYTES = 1 << 20;

function read(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => index + 1);
}

describe("the arena of a native transport", () => {
  test("has a read at its front, whole or a part of what came, until it is released", () => {
    const arena = new Arena(MAX_BYTES);
    const bytes = read(READ_BYTES);
    expect(arena.take(bytes, 0, bytes.length)).toBe(true);
    expect(arena.bytes.subarray(0, bytes.length)).toEqual(bytes);
    arena.release();
    expect(arena.take(bytes, 3, 10)).toBe(true);
    expect(arena.bytes.subarray(0, 7)).toEqual(bytes.subarray(3, 10));
  });

  test("leaves a read where it is that is too large, or comes while another is being handled", () => {
    const arena = new Arena(MAX_BYTES);
    expect(arena.take(read(READ_BYTES + 1), 0, READ_BYTES + 1)).toBe(false);
    expect(arena.take(read(5), 0, 5)).toBe(true);
    expect(arena.take(read(6), 1, 6)).toBe(false);
    expect(arena.bytes.subarray(0, 5)).toEqual(read(5));
    arena.release();
    expect(arena.take(read(6), 1, 6)).toBe(true);
  });

  test("never gives the front to who sends: not at first, not grown, not rewound", () => {
    const arena = new Arena(MAX_BYTES);
    const starts = [arena.used];
    arena.used += 1_000;
    expect(arena.fits(65_536 - 1_000)).toBe(true);
    expect(arena.fits(65_536)).toBe(false);
    expect(arena.grow(65_536)).toBe(true);
    starts.push(arena.used);
    arena.used += 1_000;
    arena.rewind();
    starts.push(arena.used);
    expect(starts).toEqual([READ_BYTES, READ_BYTES, READ_BYTES]);
  });

  test("grows up to its limit, with views of the new array, and leaves the old one to the handler of a read", () => {
    const arena = new Arena(MAX_BYTES);
    const before = arena.bytes;
    arena.take(read(5), 0, 5);
    expect(arena.grow(100_000)).toBe(true);
    expect(arena.grow(MAX_BYTES)).toBe(true);
    expect(arena.grow(MAX_BYTES)).toBe(false);
    expect(before.subarray(0, 5)).toEqual(read(5));
    arena.bytes.set([1, 2, 3, 4], 8);
    expect(arena.view.getUint32(8)).toBe(0x01020304);
    expect(arena.words.length).toBe(arena.bytes.length / 4);
    expect(new Uint8Array(arena.words.buffer, 8, 4)).toEqual(new Uint8Array([1, 2, 3, 4]));
  });
});
