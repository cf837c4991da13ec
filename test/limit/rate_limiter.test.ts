import { afterAll, describe, expect, test } from "vitest";
import { RateLimiter, type RateLimiterOptions, type RateOptions } from "../../src/limit/rate_limiter.ts";
import { Loop } from "../../src/loop.ts";

const loop = new Loop({ transport: "native" });
afterAll(() => loop.close());

function limiter(options: RateLimiterOptions): RateLimiter {
  return new RateLimiter({ loop, ...options });
}

describe("RateLimiter", () => {
  test("take waits its turn, in order, and as long as the rate asks", async () => {
    const limit = limiter({ perSecond: 50, burst: 2 });
    const order: number[] = [];
    const beganMs = performance.now();
    await Promise.all([1, 2, 3, 4, 5, 6].map((each) => limit.take().then(() => order.push(each))));
    const tookMs = performance.now() - beganMs;
    expect(order).toEqual([1, 2, 3, 4, 5, 6]);
    expect(tookMs).toBeGreaterThanOrEqual(79);
    expect(tookMs).toBeLessThan(10_000);
    expect(limit.waiting).toBe(0);
  });

  test("tryTake takes what is there and no more, and says how long one permit takes", () => {
    const limit = limiter({ perSecond: 0.1, burst: 3 });
    expect([limit.tryTake(2), limit.tryTake(2), limit.tryTake(), limit.tryTake()]).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(limit.retryAfterMs).toBeGreaterThan(9_000);
    expect(limit.retryAfterMs).toBeLessThanOrEqual(10_000);
    expect(limit.available).toBeLessThan(1);
  });

  test("a burst is what one second brings unless told otherwise", () => {
    expect(limiter({ perSecond: 2.5 }).available).toBe(3);
    expect(limiter({ perSecond: 0.2 }).available).toBe(1);
  });

  test("waiting ends with the signal, with the timeout, and is refused when too many wait", async () => {
    const limit = limiter({ perSecond: 0.01, burst: 1, maxWaiting: 2 });
    await limit.take();
    const controller = new AbortController();
    const aborted = limit.take(1, { signal: controller.signal });
    const late = limit.take(1, { timeoutMs: 20 });
    expect(limit.waiting).toBe(2);
    const limited = {
      code: "ERR_RATE_LIMITED",
      isRetryable: true,
      retryAfterMs: expect.closeTo(300_000, -3),
    };
    await expect(limit.take()).rejects.toMatchObject(limited);
    controller.abort("enough");
    await expect(aborted).rejects.toMatchObject({ code: "ERR_ABORTED", cause: "enough" });
    await expect(late).rejects.toMatchObject({ code: "ERR_RATE_LIMITED" });
    expect(limit.waiting).toBe(0);
    await expect(limit.take(1, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "ERR_ABORTED",
    });
    await expect(limit.take(1, { timeoutMs: 0 })).rejects.toMatchObject({ code: "ERR_RATE_LIMITED" });
  });

  test("a closed loop keeps no time: what would have to wait is refused", async () => {
    const short = new Loop({ transport: "native" });
    const limit = new RateLimiter({ loop: short, perSecond: 1 });
    short.close();
    await limit.take();
    await expect(limit.take()).rejects.toMatchObject({ code: "ERR_NOT_OPEN" });
  });

  test("who waits when the loop is closed is told", async () => {
    const short = new Loop({ transport: "native" });
    const limit = new RateLimiter({ loop: short, perSecond: 1 });
    await limit.take();
    const waiting = [limit.take(), limit.take(1, { timeoutMs: 10_000 })];
    short.close();
    for (const each of waiting) await expect(each).rejects.toMatchObject({ code: "ERR_NOT_OPEN" });
    expect(limit.waiting).toBe(0);
  });

  test.each([
    [{ perSecond: 0 }, RangeError],
    [{ perSecond: Infinity }, RangeError],
    [{ perSecond: "1" as unknown as number }, TypeError],
    [{ perSecond: 1, burst: 0 }, RangeError],
    [{ perSecond: 1, burst: 1.5 }, RangeError],
    [{ perSecond: 1, maxWaiting: -1 }, RangeError],
    [{ perSecond: 1, perMinute: 60 }, TypeError],
  ] as [RateOptions, typeof RangeError][])("refuses %o", (options, error) => {
    expect(() => limiter(options)).toThrow(error);
  });

  test("refuses numbers of permits that make no sense", async () => {
    const limit = limiter({ perSecond: 1 });
    for (const permits of [0, -1, 1.5, Number.NaN]) {
      expect(() => limit.tryTake(permits)).toThrow(RangeError);
      await expect(limit.take(permits)).rejects.toThrow(RangeError);
    }
  });
});
