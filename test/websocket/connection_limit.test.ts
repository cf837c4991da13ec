import { describe, expect, test } from "vitest";
import type { Engine } from "../../src/loop.ts";
import { TimerWheel } from "../../src/timer_wheel.ts";
import {
  type ConnectionLimit,
  ConnectionLimiter,
  networkOf,
  readConnectionLimit,
} from "../../src/websocket/connection_limit.ts";

/** A limiter on a clock that only the test moves. */
class Fixture {
  nowMs = 0;
  readonly limiter: ConnectionLimiter;

  constructor(limit: ConnectionLimit) {
    const engine = {
      runtime: { nowMs: () => this.nowMs },
      wheel: new TimerWheel(0, () => undefined),
    } as unknown as Engine;
    this.limiter = new ConnectionLimiter(readConnectionLimit(limit), engine);
  }

  /** Statuses and Retry-After of connections from an address. */
  connect(host: string): string {
    const refusal = this.limiter.refusal(() => ({
      host,
      port: 1,
      family: host.includes(":") ? "ipv6" : "ipv4",
    }));
    return refusal === undefined ? "taken" : `${refusal.status} ${refusal.headers.map(([, value]) => value)}`;
  }
}

describe("ConnectionLimiter", () => {
  test("limits each address by itself, and all together", () => {
    const fixture = new Fixture({
      total: { perSecond: 0.5, burst: 3 },
      perAddress: { perSecond: 0.1, burst: 2 },
    });
    expect(
      ["1.1.1.1", "1.1.1.1", "1.1.1.1", "2.2.2.2", "3.3.3.3"].map((host) => fixture.connect(host)),
    ).toEqual(["taken", "taken", "429 10", "taken", "503 2"]);
    fixture.nowMs = 2_000;
    // What was refused for lack of room in all has cost its address nothing.
    expect(fixture.connect("3.3.3.3")).toBe("taken");
    fixture.nowMs = 20_000;
    expect([1, 2, 3].map(() => fixture.connect("1.1.1.1"))).toEqual(["taken", "taken", "429 10"]);
  });

  test("remembers a bounded number of addresses, those seen last", () => {
    const fixture = new Fixture({ perAddress: { perSecond: 0.001, burst: 1 } });
    for (let index = 0; index < 70_000; index++) {
      fixture.connect(`10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`);
    }
    expect(fixture.limiter.addressCount).toBe(65_536);
    expect(fixture.connect("10.1.17.111")).toMatch(/^429/);
    expect(fixture.connect("10.0.0.1")).toBe("taken");
  });

  test("of IPv6 a network of 64 bits is one peer; an IPv4 address is one however it is written", () => {
    const network = (host: string): string =>
      networkOf({ host, family: host.includes(":") ? "ipv6" : "ipv4" });
    expect(["2001:db8:0:1::1", "2001:0db8::1:ffff:0:0:1", "2001:db8:0:1:2:3:4:5"].map(network)).toEqual([
      "2001:db8:0:1::/64",
      "2001:db8:0:1::/64",
      "2001:db8:0:1::/64",
    ]);
    expect([network("::1"), network("fe80::1%eth0"), network("1::")]).toEqual([
      "0:0:0:0::/64",
      "fe80:0:0:0::/64",
      "1:0:0:0::/64",
    ]);
    expect([network("::ffff:9.8.7.6"), network("9.8.7.6")]).toEqual(["9.8.7.6", "9.8.7.6"]);
  });

  test.each([{}, { total: 0 }, { perAddress: { perSecond: 1, burst: 0 } }, { each: 1 }])(
    "refuses %o",
    (limit) => {
      expect(() => readConnectionLimit(limit as ConnectionLimit)).toThrow();
    },
  );
});
