import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TokenBucket } from "../../src/limit/token_bucket.ts";

/** Takes if there are as many. */
function tryTake(bucket: TokenBucket, permits: number, nowMs: number): boolean {
  const has = bucket.has(permits, nowMs);
  if (has) bucket.take(permits, nowMs);
  return has;
}

describe("TokenBucket", () => {
  test("gives a full burst at once, then the rate", () => {
    const bucket = new TokenBucket(10, 3, 0);
    expect([1, 2, 3, 4].map(() => tryTake(bucket, 1, 0))).toEqual([true, true, true, false]);
    expect(bucket.waitMs(1, 0)).toBe(100);
    expect(tryTake(bucket, 1, 99)).toBe(false);
    expect(tryTake(bucket, 1, 100)).toBe(true);
    expect(bucket.balance(1_000_000)).toBe(3);
  });

  test("gives more than the burst when it is full, and takes the rest in advance", () => {
    const bucket = new TokenBucket(10, 5, 0);
    expect(tryTake(bucket, 25, 0)).toBe(true);
    expect(bucket.balance(0)).toBe(-20);
    expect(bucket.waitMs(1, 0)).toBe(2_100);
    expect(bucket.waitMs(25, 0)).toBe(2_500);
  });

  test("a clock that stands still or goes back gives nothing", () => {
    const bucket = new TokenBucket(1_000, 1, 50);
    bucket.take(1, 50);
    expect([bucket.balance(50), bucket.balance(10), bucket.balance(50)]).toEqual([0, 0, 0]);
  });

  test("who was called late gets what came meanwhile, up to the given time", () => {
    const bucket = new TokenBucket(1_000, 1, 0);
    bucket.take(1, 0);
    bucket.catchUp(15, 20);
    expect(bucket.balance(15)).toBeCloseTo(15);
    bucket.take(15, 15);
    bucket.catchUp(5_000, 20);
    expect(bucket.balance(5_000)).toBeCloseTo(21);
  });

  test("over any time it gives at most a burst and what came", () => {
    const step = fc.record({
      permits: fc.integer({ min: 1, max: 8 }),
      afterMs: fc.integer({ min: 0, max: 400 }),
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.array(step), (perSecond, steps) => {
        const bucket = new TokenBucket(perSecond, 8, 0);
        let nowMs = 0;
        let taken = 0;
        for (const { permits, afterMs } of steps) {
          nowMs += afterMs;
          const waitMs = bucket.waitMs(permits, nowMs);
          const has = tryTake(bucket, permits, nowMs);
          expect(has).toBe(waitMs === 0);
          if (has) taken += permits;
          expect(taken).toBeLessThanOrEqual(8 + (perSecond * nowMs) / 1_000 + 1e-3);
        }
      }),
      { seed: 11 },
    );
  });
});
