/**
 * Medians of the bench harness, and how well they are known.
 */
import { expect, test } from "vitest";

const script = new URL("../../bench/median.mjs", import.meta.url).href;
const { interval, median } = (await import(script)) as {
  interval(values: number[]): [number, number] | undefined;
  median(values: number[]): number;
};

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

test("the median of odd and even counts is the middle, and sorts numbers as numbers", () => {
  expect(median([100, 9, 20])).toBe(20);
  expect(median([1, 2, 3, 10])).toBe(2.5);
});

test("of fewer than three values nobody knows where the median is", () => {
  expect(interval([])).toBeUndefined();
  expect(interval([1, 2])).toBeUndefined();
});

test("the interval has all of a few values, and no outliers of many", () => {
  expect(interval([100, 20, 9])).toEqual([9, 100]);
  expect(interval(upTo(5))).toEqual([1, 5]);
  expect(interval(upTo(6))).toEqual([2, 5]);
  expect(interval(upTo(12))).toEqual([4, 9]);
});

test("the interval has the median in three of four cases at least", () => {
  let state = 1;
  const random = (): number => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  for (const count of [3, 4, 6, 9, 13]) {
    let hits = 0;
    for (let attempt = 0; attempt < 2_000; attempt++) {
      const [low, high] = interval(upTo(count).map(random)) as [number, number];
      if (low <= 0.5 && high >= 0.5) hits++;
    }
    expect(hits, `${count} values`).toBeGreaterThan(0.73 * 2_000);
  }
});
