/** The window against a plain list of everything that came. */
import { describe, expect, test } from "vitest";
import { SequenceWindow } from "../../src/feed/sequence_window.ts";
import { seeded } from "../protocol/frames.ts";

const A = 0;
const B = 1;

describe("SequenceWindow", () => {
  test("finds what was inserted, wherever it was inserted", () => {
    const window = new SequenceWindow(16, 2);
    for (const sequence of [10, 30, 20, 5, 40, 25]) window.insert(sequence, A, sequence * 100);
    for (const sequence of [5, 10, 20, 25, 30, 40]) {
      expect(window.firstNs(window.find(sequence, B))).toBe(sequence * 100);
    }
    for (const sequence of [0, 6, 15, 41]) expect(window.find(sequence, B)).toBe(-1);
  });

  test("forgets the smallest number, and refuses everything up to it from then on", () => {
    const window = new SequenceWindow(16, 1);
    for (let sequence = 100; sequence < 116; sequence++) window.insert(sequence, A, 0);
    expect(window.isForgotten(99)).toBe(false);
    window.insert(200, A, 0);
    expect([99, 100, 101].map((sequence) => window.isForgotten(sequence))).toEqual([true, true, false]);
    expect(window.find(100, A)).toBe(-1);
  });

  test("says which lines had not brought what is forgotten", () => {
    const window = new SequenceWindow(16, 2);
    for (let sequence = 0; sequence < 16; sequence++) window.insert(sequence, A, 0);
    expect(window.bring(window.find(0, B), B)).toBe(true);
    expect(window.bring(window.find(0, B), B)).toBe(false);
    expect(window.insert(16, A, 0)).toBe(0);
    expect(window.insert(17, A, 0)).toBe(1 << B);
  });

  test("knows since when a line is behind", () => {
    const window = new SequenceWindow(16, 2);
    for (let sequence = 0; sequence < 4; sequence++) window.insert(sequence, A, 1_000 + sequence);
    expect(window.waitingSinceNs(A)).toBe(Infinity);
    expect(window.waitingSinceNs(B)).toBe(1_000);
    window.bring(window.find(1, B), B);
    expect(window.waitingSinceNs(B)).toBe(1_002);
    // A number from before does not set it back.
    window.bring(window.find(0, B), B);
    expect(window.waitingSinceNs(B)).toBe(1_002);
    window.bring(window.find(3, B), B);
    expect(window.waitingSinceNs(B)).toBe(Infinity);
  });

  test.each([1, 2, 3, 4])(
    "takes each number at most once, in any order and with any steps (seed %i)",
    (seed) => {
      const random = seeded(seed);
      const window = new SequenceWindow(16, 3);
      const taken = new Set<number>();
      const list: number[] = [];
      let newest = 0;
      for (let round = 0; round < 20_000; round++) {
        const line = Math.floor(random() * 3);
        if (random() < 0.4) newest += 1 + Math.floor(random() * 5);
        const sequence = Math.max(0, newest - Math.floor(random() * random() * 60));
        const position = window.find(sequence, line);
        const remembered = list.includes(sequence);
        expect(position >= 0).toBe(remembered);
        if (position >= 0) {
          window.bring(position, line);
        } else if (!window.isForgotten(sequence)) {
          expect(taken.has(sequence)).toBe(false);
          taken.add(sequence);
          window.insert(sequence, line, round);
          list.push(sequence);
          list.sort((a, b) => a - b);
          if (list.length > 16) list.shift();
        }
      }
      expect(taken.size).toBeGreaterThan(5_000);
    },
  );
});
