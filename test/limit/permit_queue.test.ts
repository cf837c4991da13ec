import { describe, expect, test } from "vitest";
import { PermitQueue, type Waiter } from "../../src/limit/permit_queue.ts";
import { TimerWheel } from "../../src/timer_wheel.ts";

/** A queue on a clock that only the test moves, and who was served when. */
class Fixture {
  nowMs = 0;
  readonly served: string[] = [];
  readonly wheel: TimerWheel = new TimerWheel(0, () => undefined);
  readonly queue: PermitQueue;

  constructor(perSecond: number, burst: number) {
    this.queue = new PermitQueue({ perSecond, burst }, this.wheel, () => this.nowMs);
  }

  request(name: string, permits = 1): Waiter {
    const waiter = { permits, granted: () => void this.served.push(name) };
    this.queue.request(waiter);
    return waiter;
  }

  pass(ms: number): void {
    for (const end = this.nowMs + ms; this.nowMs < end; ) {
      this.nowMs = Math.min(end, this.nowMs + 8);
      this.wheel.advance(this.nowMs);
    }
  }
}

describe("PermitQueue", () => {
  test("serves in the order of coming, a large request before the small ones behind it", () => {
    const fixture = new Fixture(10, 4);
    fixture.request("a", 4);
    fixture.request("b", 4);
    fixture.request("c");
    fixture.request("d");
    expect(fixture.queue.tryTake(1)).toBe(false);
    fixture.pass(390);
    expect(fixture.served).toEqual(["a"]);
    // There are three, but somebody waits for four.
    expect([fixture.queue.balance >= 3, fixture.queue.tryTake(1)]).toEqual([true, false]);
    fixture.pass(60);
    expect(fixture.served).toEqual(["a", "b"]);
    fixture.pass(300);
    expect(fixture.served).toEqual(["a", "b", "c", "d"]);
    expect([fixture.queue.waiting, fixture.wheel.count]).toEqual([0, 0]);
  });

  test("says how long a newcomer would wait, those before it included", () => {
    const fixture = new Fixture(10, 2);
    expect(fixture.queue.retryAfterMs).toBe(0);
    fixture.request("a", 2);
    expect(fixture.queue.retryAfterMs).toBe(100);
    fixture.request("b", 3);
    expect(fixture.queue.retryAfterMs).toBe(400);
  });

  test("who cancels is not served, and the next one need not wait for it", () => {
    const fixture = new Fixture(10, 10);
    fixture.request("a", 10);
    const large = fixture.request("large", 10);
    fixture.request("b");
    fixture.queue.cancel(large);
    fixture.queue.cancel(large);
    fixture.pass(120);
    expect(fixture.served).toEqual(["a", "b"]);
    const last = fixture.request("c");
    fixture.queue.cancel(last);
    expect(fixture.wheel.count).toBe(0);
  });

  test("keeps a rate far above the wheel's ticks although only one permit can be saved", () => {
    const fixture = new Fixture(1_000, 1);
    for (let index = 0; index < 2_000; index++) fixture.request("x");
    fixture.pass(1_000);
    expect(fixture.served.length).toBeGreaterThan(900);
    expect(fixture.served.length).toBeLessThanOrEqual(1_001);
  });

  test("what is taken in advance makes all others wait", () => {
    const fixture = new Fixture(10, 1);
    fixture.queue.take(6);
    expect(fixture.queue.balance).toBe(-5);
    fixture.request("a");
    fixture.pass(590);
    expect(fixture.served).toEqual([]);
    fixture.pass(60);
    expect(fixture.served).toEqual(["a"]);
  });

  test("a waiter that throws keeps nobody else from being served", () => {
    const fixture = new Fixture(100, 1);
    fixture.request("a");
    fixture.queue.request({
      permits: 1,
      granted: () => {
        throw new Error("no");
      },
    });
    fixture.request("b");
    let uncaught = 0;
    const original = globalThis.queueMicrotask;
    globalThis.queueMicrotask = (): void => void uncaught++;
    fixture.pass(100);
    globalThis.queueMicrotask = original;
    expect([fixture.served, uncaught]).toEqual([["a", "b"], 1]);
  });
});
