import { describe, expect, test } from "vitest";
import { CallbackTimer, TimerWheel } from "../src/timer_wheel.ts";
import { seeded } from "./protocol/frames.ts";

const TICK_MS = 8;

/** A wheel and what it asked for. */
function newWheel(nowMs = 0): { wheel: TimerWheel; armed: number[] } {
  const armed: number[] = [];
  return { wheel: new TimerWheel(nowMs, (dueMs) => armed.push(dueMs)), armed };
}

describe("timer wheel", () => {
  test("is never early, and late by no more than two ticks and 1/16", () => {
    const random = seeded(7);
    const { wheel } = newWheel(1_000.5);
    let nowMs = 1_000.5;
    let expired = 0;
    let worst = "";
    for (let count = 0; count < 3_000; count++) {
      const delayMs = random() < 0.5 ? random() * 200 : random() * 60_000;
      const startMs = nowMs;
      const timer = new CallbackTimer(() => {
        expired++;
        const waitedMs = nowMs - startMs;
        if (waitedMs < delayMs) worst = `${delayMs} came after ${waitedMs}`;
        if (waitedMs > delayMs * (1 + 1 / 16) + 2 * TICK_MS + 4)
          worst = `${delayMs} came only after ${waitedMs}`;
      });
      wheel.schedule(timer, nowMs, delayMs);
      nowMs += random() * 4;
      wheel.advance(nowMs);
    }
    while (wheel.count > 0) {
      nowMs += 3;
      wheel.advance(nowMs);
    }
    expect(worst).toBe("");
    expect(expired).toBe(3_000);
  });

  test("asks to be advanced when the next timer is due, and says Infinity when nothing waits", () => {
    const { wheel, armed } = newWheel();
    expect(wheel.nextDueMs()).toBe(Infinity);
    const late = new CallbackTimer(() => undefined);
    const soon = new CallbackTimer(() => undefined);
    wheel.schedule(late, 0, 10_000);
    wheel.schedule(soon, 0, 20);
    expect(armed.length).toBe(2);
    expect(wheel.nextDueMs()).toBe(armed[1]);
    expect(armed[1]).toBeGreaterThanOrEqual(20);
    expect(wheel.advance(armed[1] - 1)).toBe(0);
    expect(wheel.advance(armed[1])).toBe(1);
    expect(wheel.nextDueMs()).toBe(armed[0]);
    wheel.cancel(late);
    expect(wheel.nextDueMs()).toBe(Infinity);
  });

  test("thousands of long delays share few wake-ups", () => {
    const { wheel, armed } = newWheel();
    const random = seeded(3);
    for (let count = 0; count < 5_000; count++) {
      wheel.schedule(new CallbackTimer(() => undefined), random() * 3_000, 30_000);
    }
    expect(new Set(armed).size).toBeLessThanOrEqual(4);
    expect(wheel.count).toBe(5_000);
  });

  test("after a long sleep everything that was due expires once, and nothing else", () => {
    const { wheel } = newWheel();
    const seen: number[] = [];
    for (const delayMs of [10, 4_000, 4_096, 5_000, 100_000, 1_000_000, 10_000_000]) {
      wheel.schedule(new CallbackTimer(() => seen.push(delayMs)), 0, delayMs);
    }
    expect(wheel.advance(2_000_000)).toBe(6);
    expect(new Set(seen)).toEqual(new Set([10, 4_000, 4_096, 5_000, 100_000, 1_000_000]));
    expect(wheel.advance(2_000_000)).toBe(0);
    expect(wheel.count).toBe(1);
    expect(wheel.advance(11_000_000)).toBe(1);
  });

  test("a timer may cancel and move others that are due in the same moment, and itself", () => {
    const { wheel } = newWheel();
    const seen: string[] = [];
    const timers = ["a", "b", "c"].map(
      (name) =>
        new CallbackTimer(() => {
          seen.push(name);
          for (const other of timers) if (other !== timers[0]) wheel.cancel(other);
          wheel.schedule(timers[0], 100, 50);
        }),
    );
    for (const timer of timers) wheel.schedule(timer, 0, 50);
    expect(wheel.advance(100)).toBe(1);
    expect(seen.length).toBe(1);
    expect(wheel.count).toBe(1);
    expect(wheel.advance(400)).toBe(1);
    expect(seen).toEqual([seen[0], "a"]);
  });

  test("scheduling again moves a timer; cancelling twice, or one that never waited, does nothing", () => {
    const { wheel } = newWheel();
    let count = 0;
    const timer = new CallbackTimer(() => count++);
    wheel.cancel(timer);
    wheel.schedule(timer, 0, 50);
    wheel.schedule(timer, 0, 500);
    expect(wheel.count).toBe(1);
    expect(wheel.advance(100)).toBe(0);
    expect(wheel.advance(600)).toBe(1);
    wheel.cancel(timer);
    wheel.cancel(timer);
    expect(wheel.count).toBe(0);
    expect(count).toBe(1);
  });

  test("a clock that stands still or goes back expires nothing", () => {
    const { wheel } = newWheel(5_000);
    wheel.schedule(new CallbackTimer(() => undefined), 5_000, 10);
    expect(wheel.advance(5_000)).toBe(0);
    expect(wheel.advance(1)).toBe(0);
    expect(wheel.advance(5_100)).toBe(1);
  });

  test("a random mix of schedules and cancels keeps its count and order", () => {
    const random = seeded(11);
    const { wheel } = newWheel();
    const waiting = new Set<CallbackTimer>();
    let nowMs = 0;
    const timers: CallbackTimer[] = Array.from({ length: 200 }, () => {
      const timer: CallbackTimer = new CallbackTimer(() => {
        expect(waiting.delete(timer)).toBe(true);
      });
      return timer;
    });
    for (let step = 0; step < 20_000; step++) {
      const timer = timers[Math.floor(random() * timers.length)];
      if (random() < 0.3) {
        wheel.cancel(timer);
        waiting.delete(timer);
      } else {
        wheel.schedule(timer, nowMs, random() * 9_000);
        waiting.add(timer);
      }
      if (random() < 0.2) {
        nowMs += random() * 100;
        wheel.advance(nowMs);
      }
      expect(wheel.count).toBe(waiting.size);
    }
  });

  test("a wheel that is closed tells who waits that it waits in vain, and takes nothing more", () => {
    const { wheel, armed } = newWheel();
    const told: string[] = [];
    const timer = (name: string, more: () => void = () => undefined): CallbackTimer =>
      new CallbackTimer(
        () => told.push(`${name} expired`),
        () => {
          told.push(`${name} abandoned`);
          more();
        },
      );
    const cancelled = timer("cancelled");
    const again = timer("again", () => wheel.schedule(again, 0, 10));
    wheel.schedule(
      timer("cancels", () => wheel.cancel(cancelled)),
      0,
      8,
    );
    wheel.schedule(again, 0, 600_000);
    wheel.schedule(new CallbackTimer(() => told.push("plain expired")), 0, 30);
    wheel.schedule(cancelled, 0, 400);
    const armedBefore = armed.length;
    wheel.close();
    expect(told.sort()).toEqual(["again abandoned", "cancels abandoned"]);
    expect([wheel.count, wheel.advance(1e9), armed.length]).toEqual([0, 0, armedBefore]);
  });
});
