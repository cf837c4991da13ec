import { expect, test } from "vitest";
import { Backoff } from "../../src/stream/backoff.ts";

const PLAN = { initialMs: 100, factor: 1.5, maxMs: 30_000 };

/** A small generator with a seed (mulberry32), so that a failure can be looked at again. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

test("the ceiling grows by the factor, up to the longest delay, and begins anew after a reset", () => {
  const backoff = new Backoff(PLAN, () => 1);
  const ceilings = Array.from({ length: 200 }, () => backoff.next());
  expect(ceilings.slice(0, 4)).toEqual([100, 150, 225, 337.5]);
  expect(ceilings.slice(15)).toEqual(new Array(185).fill(30_000));
  expect(backoff.failures).toBe(200);
  backoff.reset();
  expect([backoff.failures, backoff.next()]).toEqual([0, 100]);
});

test("delays are spread evenly from nothing to the ceiling, whatever the number of failures", () => {
  const random = seeded(11);
  for (const failures of [0, 3, 40]) {
    const ceilingMs = Math.min(PLAN.maxMs, PLAN.initialMs * PLAN.factor ** failures);
    const counts = new Array<number>(10).fill(0);
    for (let draw = 0; draw < 10_000; draw++) {
      const backoff = new Backoff(PLAN, random);
      for (let index = 0; index < failures; index++) backoff.next();
      const delayMs = backoff.next();
      expect(delayMs).toBeLessThan(ceilingMs);
      counts[Math.floor((delayMs / ceilingMs) * 10)]!++;
    }
    // Chi-squared, nine degrees of freedom: 27.9 is passed once in a thousand.
    const chiSquared = counts.reduce((sum, count) => sum + (count - 1_000) ** 2 / 1_000, 0);
    expect(chiSquared).toBeLessThan(27.9);
  }
});
