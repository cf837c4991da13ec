import { expect, test } from "vitest";
import { Odds } from "../../src/uring/odds.ts";

/** How often of so many times waiting is favoured. */
function favoured(odds: Odds, times: number, isHit: boolean): number {
  let count = 0;
  for (let time = 0; time < times; time++) {
    if (!odds.favourWaiting()) continue;
    count++;
    odds.waited(isHit);
  }
  return count;
}

test("the first time is tried", () => {
  expect(new Odds().favourWaiting()).toBe(true);
});

test("where waiting never pays, it is tried once in 64 times", () => {
  expect(favoured(new Odds(), 640, false)).toBe(10);
});

test("where waiting pays, it is favoured always", () => {
  expect(favoured(new Odds(), 640, true)).toBe(640);
});

test("a hit outweighs two misses, and many hits no more than sixteen", () => {
  const odds = new Odds();
  expect(favoured(odds, 1, true)).toBe(1);
  expect(favoured(odds, 10, false)).toBe(2);
  expect(favoured(odds, 640, true)).toBeGreaterThan(500);
  expect(favoured(odds, 50, false)).toBe(16);
});
