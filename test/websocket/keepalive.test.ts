import { describe, expect, test } from "vitest";
import { TimerWheel } from "../../src/timer_wheel.ts";
import { type Deadline, Keepalive, type KeepaliveContext } from "../../src/websocket/keepalive.ts";
import { readSettings } from "../../src/websocket/settings.ts";

/** A keepalive on a clock that only the test moves, and what it did. */
class Watched {
  nowMs = 1_000;
  readonly events: string[] = [];
  inMessage = false;
  messageCount = 0;
  readonly wheel: TimerWheel = new TimerWheel(1_000, () => undefined);
  readonly context: KeepaliveContext;
  readonly keepalive: Keepalive = new Keepalive(this);

  constructor(options: object) {
    const engine = { wheel: this.wheel, runtime: { nowMs: () => this.nowMs } };
    this.context = { engine, settings: readSettings("server", options) };
    this.keepalive.start();
  }

  sendKeepalivePing(): void {
    this.events.push(`ping ${this.nowMs}`);
  }

  deadlinePassed(deadline: Deadline): void {
    this.events.push(`${deadline} ${this.nowMs}`);
  }

  /** Lets time pass, in steps of 8 ms. `each` is called before each step. */
  pass(ms: number, each?: (nowMs: number) => void): void {
    for (const end = this.nowMs + ms; this.nowMs < end; ) {
      this.nowMs = Math.min(end, this.nowMs + 8);
      each?.(this.nowMs);
      this.wheel.advance(this.nowMs);
    }
  }

  /** When something happened first, in milliseconds since the start. */
  at(name: string): number {
    const found = this.events.find((event) => event.startsWith(`${name} `));
    return found === undefined ? Number.NaN : Number(found.split(" ")[1]) - 1_000;
  }
}

describe("keepalive", () => {
  test("pings after pingIntervalMs of silence, gives up pongTimeoutMs later", () => {
    const watched = new Watched({ pingIntervalMs: 30_000, pongTimeoutMs: 10_000 });
    watched.pass(60_000);
    expect(watched.at("ping")).toBeGreaterThanOrEqual(30_000);
    expect(watched.at("ping")).toBeLessThan(30_000 * 1.25);
    expect(watched.at("pong") - watched.at("ping")).toBeGreaterThanOrEqual(10_000);
    expect(watched.at("pong") - watched.at("ping")).toBeLessThan(11_000);
    expect(watched.events.length).toBe(2);
    expect(watched.wheel.count).toBe(0);
  });

  test("a busy peer is never pinged", () => {
    const watched = new Watched({ pingIntervalMs: 1_000 });
    watched.pass(100_000, () => {
      watched.keepalive.active = true;
    });
    expect(watched.events).toEqual([]);
  });

  test("any answer begins the silence anew", () => {
    const watched = new Watched({ pingIntervalMs: 1_000, pongTimeoutMs: 500, idleTimeoutMs: 0 });
    let pings = 0;
    watched.pass(60_000, () => {
      if (watched.events.length === pings) return;
      pings = watched.events.length;
      watched.keepalive.active = true;
    });
    expect(pings).toBeGreaterThan(30);
    expect(pings).toBeLessThanOrEqual(60);
    expect(watched.events.every((event) => event.startsWith("ping"))).toBe(true);
  });

  test("idleTimeoutMs without pings", () => {
    const watched = new Watched({ pingIntervalMs: 0, idleTimeoutMs: 4_000 });
    watched.pass(10_000);
    expect(watched.events.length).toBe(1);
    expect(watched.at("idle")).toBeGreaterThanOrEqual(4_000);
    expect(watched.at("idle")).toBeLessThan(5_500);
  });

  test("a peer that nobody has asked, because our thread stood still, is pinged before it is given up", () => {
    const watched = new Watched({ pingIntervalMs: 1_000, pongTimeoutMs: 500, idleTimeoutMs: 4_000 });
    watched.pass(500);
    watched.nowMs += 10_000;
    watched.pass(8);
    expect(watched.events.map((event) => event.split(" ")[0])).toEqual(["ping"]);
    watched.keepalive.active = true;
    watched.pass(1_000);
    expect(watched.events.length).toBe(1);
  });

  test("with everything switched off no timer is taken", () => {
    const watched = new Watched({ pingIntervalMs: 0, idleTimeoutMs: 0, messageTimeoutMs: 0 });
    expect(watched.wheel.count).toBe(0);
    watched.pass(1_000_000);
    expect(watched.events).toEqual([]);
  });

  test("while receiving is paused nothing counts as silence", () => {
    const watched = new Watched({ pingIntervalMs: 1_000, pongTimeoutMs: 500, idleTimeoutMs: 4_000 });
    watched.keepalive.paused();
    watched.pass(60_000);
    expect(watched.events).toEqual([]);
    watched.keepalive.resumed();
    watched.pass(3_000);
    expect(watched.events.map((event) => event.split(" ")[0])).toEqual(["ping", "pong"]);
  });

  test("a program that pauses and resumes again and again does not keep a dead peer alive", () => {
    const watched = new Watched({ pingIntervalMs: 1_000, pongTimeoutMs: 500, messageTimeoutMs: 0 });
    let calls = 0;
    watched.pass(10_000, () => {
      if (calls % 8 === 0) watched.keepalive.paused();
      else if (calls % 8 === 4) watched.keepalive.resumed();
      calls++;
    });
    expect(watched.events.map((event) => event.split(" ")[0])).toEqual(["ping", "pong"]);
    // Half of the time counts.
    expect(watched.at("ping")).toBeGreaterThanOrEqual(1_900);
    expect(watched.at("pong") - watched.at("ping")).toBeGreaterThanOrEqual(900);
  });

  test("an incomplete message waits for as long as it is not read", () => {
    const watched = new Watched({ messageTimeoutMs: 4_000 });
    watched.inMessage = true;
    watched.pass(3_000);
    watched.keepalive.paused();
    watched.pass(60_000);
    watched.keepalive.resumed();
    expect(watched.events).toEqual([]);
    watched.pass(3_000);
    expect(watched.at("message")).toBeGreaterThanOrEqual(64_000);
  });

  test("an answer that was there when the deadline was looked at late counts", () => {
    const watched = new Watched({ pingIntervalMs: 1_000, pongTimeoutMs: 500, idleTimeoutMs: 4_000 });
    while (watched.events.length === 0) watched.pass(8);
    watched.nowMs += 10_000;
    watched.wheel.advance(watched.nowMs);
    watched.keepalive.active = true;
    watched.pass(900);
    expect(watched.events.length).toBe(1);
  });

  test("a Close frame that was there when its deadline was looked at late counts", () => {
    const watched = new Watched({ closeTimeoutMs: 5_000 });
    watched.keepalive.closing();
    watched.nowMs += 10_000;
    watched.wheel.advance(watched.nowMs);
    watched.keepalive.stop();
    watched.pass(1_000);
    expect(watched.events).toEqual([]);
  });

  test("an incomplete message is overdue after messageTimeoutMs, whatever else arrives", () => {
    const watched = new Watched({ messageTimeoutMs: 4_000 });
    watched.inMessage = true;
    watched.pass(10_000, () => {
      watched.keepalive.active = true;
    });
    expect(watched.at("message")).toBeGreaterThanOrEqual(4_000);
    expect(watched.at("message")).toBeLessThan(6_000);
  });

  test("messages that are completed in time are not overdue, even if another has always begun", () => {
    const watched = new Watched({ messageTimeoutMs: 4_000 });
    watched.inMessage = true;
    watched.pass(60_000, (nowMs) => {
      watched.keepalive.active = true;
      if (nowMs % 1_000 === 0) watched.messageCount++;
    });
    expect(watched.events).toEqual([]);
  });

  test("once closing, only the deadline for closing counts, and it is set once", () => {
    const watched = new Watched({ closeTimeoutMs: 5_000, idleTimeoutMs: 1_000, pingIntervalMs: 500 });
    watched.keepalive.closing();
    // As for an endpoint that is removed as soon as it is there.
    watched.keepalive.start();
    watched.pass(3_000);
    watched.keepalive.closing();
    watched.pass(10_000);
    expect(watched.events.length).toBe(1);
    expect(watched.at("close")).toBeGreaterThanOrEqual(5_000);
    expect(watched.at("close")).toBeLessThan(6_000);
  });

  test("stop ends all watching", () => {
    const watched = new Watched({});
    watched.keepalive.stop();
    expect(watched.wheel.count).toBe(0);
  });
});
