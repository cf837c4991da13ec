import { expect, test } from "vitest";
import { LineWatch, type WatchPlan } from "../../src/service/line_watch.ts";
import { TimerWheel } from "../../src/timer_wheel.ts";

/** A watch on a clock that the test moves on, and what it told, with the times. */
class Watching {
  readonly told: string[] = [];
  readonly line: { messageCount: number; isReceiving: boolean } = { messageCount: 0, isReceiving: true };
  isDue: boolean = true;
  readonly watch: LineWatch;
  #nowMs = 0;
  readonly #wheel: TimerWheel = new TimerWheel(0, () => undefined);

  constructor(plan: Partial<WatchPlan>) {
    const owner = {
      isStale: (sinceMs: number): void => {
        this.told.push(`stale since ${sinceMs} at ${this.#nowMs}`);
        this.watch.stop();
      },
      beat: (): void => void this.told.push(`beat at ${this.#nowMs}`),
      isDue: (): boolean => {
        this.told.push(`due at ${this.#nowMs}`);
        return this.isDue;
      },
    };
    this.watch = new LineWatch(
      this.#wheel,
      () => this.#nowMs,
      { staleMs: 0, heartbeatMs: 0, ttlMs: 0, ...plan },
      this.line,
      owner,
    );
    this.watch.start();
  }

  /** Whether anything is waited for. */
  get isWaiting(): boolean {
    return this.#wheel.count > 0;
  }

  pass(ms: number, each: () => void = () => undefined): this {
    for (const end = this.#nowMs + ms; this.#nowMs < end; ) {
      this.#nowMs += 8;
      each();
      this.#wheel.advance(this.#nowMs);
    }
    return this;
  }
}

test("silence is found at most an eighth late, and says since when", () => {
  const watching = new Watching({ staleMs: 800 });
  watching.pass(4_000, () => watching.line.messageCount++);
  expect(watching.told).toEqual([]);
  watching.pass(1_200);
  const [, sinceMs, atMs] = /since (\d+) at (\d+)/.exec(watching.told[0]!)!.map(Number);
  expect(sinceMs).toBeGreaterThanOrEqual(4_000);
  expect(sinceMs).toBeLessThanOrEqual(4_120);
  expect(atMs! - 4_000).toBeGreaterThanOrEqual(800);
  expect(atMs! - 4_000).toBeLessThanOrEqual(1_000);
  expect([watching.told.length, watching.isWaiting]).toEqual([1, false]);
});

test("silence means nothing while receiving is paused", () => {
  const watching = new Watching({ staleMs: 800 });
  watching.line.isReceiving = false;
  watching.pass(4_000);
  expect(watching.told).toEqual([]);
});

test("beats come at their interval", () => {
  const watching = new Watching({ heartbeatMs: 400 }).pass(2_000);
  const times = watching.told.map((line) => Number(line.slice("beat at ".length)));
  expect(times.length).toBeGreaterThanOrEqual(4);
  for (const [index, atMs] of times.entries()) {
    expect(atMs - (times[index - 1] ?? 0)).toBeGreaterThanOrEqual(400);
    expect(atMs - (times[index - 1] ?? 0)).toBeLessThanOrEqual(440);
  }
});

test("an end that is put off is asked for again a second later, until it is allowed", () => {
  const watching = new Watching({ ttlMs: 800 });
  watching.isDue = false;
  watching.pass(2_500);
  expect(watching.told.length).toBe(2);
  watching.isDue = true;
  watching.pass(4_000);
  expect(watching.told.length).toBe(3);
  expect(watching.isWaiting).toBe(false);
});

test("nothing waits where nothing is watched, and after stop", () => {
  expect(new Watching({}).isWaiting).toBe(false);
  const watching = new Watching({ staleMs: 80, heartbeatMs: 80, ttlMs: 80 });
  watching.watch.stop();
  expect(watching.pass(1_000).told).toEqual([]);
});
