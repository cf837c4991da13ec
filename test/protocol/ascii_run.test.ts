import { expect, test } from "vitest";
import { AsciiRun } from "../../src/protocol/ascii_run.ts";

/** A run over bytes whose character tells where they are, and the ranges that were read from them. */
function opened(limit: number): { readonly run: AsciiRun; readonly reads: [number, number][] } {
  const reads: [number, number][] = [];
  const run = new AsciiRun((bytes, start, end) => {
    reads.push([start, end]);
    return String.fromCharCode(...bytes.subarray(start, end));
  });
  run.begin(
    Uint8Array.from({ length: 2_000 }, (_, index) => index),
    limit,
  );
  return { run, reads };
}

function expected(start: number, end: number): string {
  return String.fromCharCode(...Array.from({ length: end - start }, (_, index) => (start + index) & 0xff));
}

test("texts that follow one another are read together, 256 bytes at a time", () => {
  const { run, reads } = opened(2_000);
  for (let at = 10; at + 14 <= 2_000; at += 16) expect(run.read(at, at + 14)).toBe(expected(at, at + 14));
  expect(reads.length).toBe(8);
  expect(reads.every(([start, end]) => end - start <= 256)).toBe(true);
});

test("nothing is read beyond where texts end", () => {
  const { run, reads } = opened(120);
  expect(run.read(100, 110)).toBe(expected(100, 110));
  expect(run.read(110, 120)).toBe(expected(110, 120));
  expect(reads).toEqual([[100, 120]]);
});

test("texts may be asked for in any order, and be empty", () => {
  const { run } = opened(2_000);
  for (const [start, end] of [
    ...[
      [900, 964],
      [20, 30],
      [900, 910],
      [276, 276],
      [19, 20],
      [1_990, 2_000],
      [0, 0],
      [0, 64],
    ],
  ]) {
    expect(run.read(start, end)).toBe(expected(start, end));
  }
});

test("another range is read anew, although it has the same places", () => {
  const { run } = opened(2_000);
  expect(run.read(65, 67)).toBe("AB");
  run.begin(new Uint8Array(100).fill(0x7a), 100);
  expect(run.read(65, 67)).toBe("zz");
});
