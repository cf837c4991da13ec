import { describe, expect, test } from "vitest";
import { engineOf, Loop, loopOf } from "../src/loop.ts";
import { CallbackTimer } from "../src/timer_wheel.ts";
import { onEachTransport } from "./conformance/rig.ts";

describe("the default loop", () => {
  test("is one per thread, and a new one after it was closed", () => {
    const loop = loopOf(undefined);
    expect(loopOf(undefined)).toBe(loop);
    expect(loop.drive).toBe("auto");
    loop.close();
    const next = loopOf(undefined);
    expect(next).not.toBe(loop);
    next.close();
  });
});

onEachTransport("loop", (rig) => {
  test("timers of the wheel expire by themselves, never early, whichever was set first", async () => {
    const { wheel, runtime } = engineOf(rig.loop);
    const startMs = runtime.nowMs();
    const seen: [number, number][] = [];
    await new Promise<void>((resolve) => {
      for (const delayMs of [120, 30, 60, 5]) {
        const timer = new CallbackTimer(() => {
          seen.push([delayMs, runtime.nowMs() - startMs]);
          if (delayMs === 120) resolve();
        });
        wheel.schedule(timer, startMs, delayMs);
      }
    });
    expect(seen.map(([delayMs]) => delayMs)).toEqual([5, 30, 60, 120]);
    for (const [delayMs, waitedMs] of seen) expect(waitedMs).toBeGreaterThanOrEqual(delayMs);
  });

  test("a timer that schedules another inside its expiry is heard", async () => {
    const { wheel, runtime } = engineOf(rig.loop);
    await new Promise<void>((resolve) => {
      const second = new CallbackTimer(resolve);
      const first = new CallbackTimer(() => wheel.schedule(second, runtime.nowMs(), 1));
      wheel.schedule(first, runtime.nowMs(), 1);
    });
  });

  test("soon is later than now and sooner than a timer", async () => {
    const seen: string[] = [];
    await new Promise<void>((resolve) => {
      setTimeout(() => resolve(void seen.push("timer")), 20);
      engineOf(rig.loop).soon(() => seen.push("soon"));
      seen.push("now");
    });
    expect(seen).toEqual(["now", "soon", "timer"]);
  });

  test("close is idempotent, disposing closes, and counters can still be read", () => {
    let kept: Loop;
    {
      using loop = new Loop({ transport: rig.kind });
      kept = loop;
    }
    kept.close();
    expect(kept.stats.connections).toBe(0);
    expect(kept.transport).toBe(rig.kind);
    expect(kept.reason.length).toBeGreaterThan(0);
  });

  test("limits out of range are refused before anything is opened", () => {
    for (const wrong of [
      { receiveArenaBytes: 1 },
      { maxConnections: 0 },
      { submissionEntries: 7 },
      { spinUs: -1 },
      { waitUs: 1_001 },
    ]) {
      expect(() => new Loop({ transport: rig.kind, ...wrong })).toThrow(RangeError);
    }
  });

  test("a small loop takes no more connections than maxConnections, and says so", async () => {
    const loop = rig.newLoop({ maxConnections: 3 });
    const server = await rig.serve({ websocket: {} });
    await rig.connect(server, { loop });
    await rig.connect(server, { loop });
    await rig.connect(server, { loop });
    await expect(rig.connect(server, { loop })).rejects.toMatchObject({ code: "ERR_TOO_MANY_CONNECTIONS" });
  });

  test("a deadline beyond what the runtime's timers can do does not wake it at once, again and again", async () => {
    const { wheel, runtime } = engineOf(rig.newLoop());
    const delays: number[] = [];
    const { setTimeout: original } = globalThis;
    globalThis.setTimeout = ((callback: () => void, delayMs: number) => {
      // What else runs on this thread has timers of its own, all of them short.
      if (delayMs > 1_000_000_000) delays.push(delayMs);
      return original(callback, delayMs);
    }) as typeof setTimeout;
    rig.after(() => {
      globalThis.setTimeout = original;
    });
    const timer = new CallbackTimer(() => undefined);
    wheel.schedule(timer, runtime.nowMs(), 2_147_483_647);
    await new Promise<void>((resolve) => void original(resolve, 20));
    expect(delays).toEqual([2_147_483_647]);
    wheel.cancel(timer);
  });

  test("what is due while the thread stands still is due at once afterwards", async () => {
    const { wheel, runtime } = engineOf(rig.newLoop());
    const seen: string[] = [];
    await new Promise<void>((resolve) => {
      wheel.schedule(new CallbackTimer(() => seen.push("due before")), runtime.nowMs(), 20);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
      setTimeout(() => {
        seen.push("set afterwards");
        resolve();
      }, 150);
    });
    expect(seen).toEqual(["due before", "set afterwards"]);
  });
});
