import { describe, expect, test } from "vitest";
import { RingwireError } from "../../src/errors.ts";
import { Counters } from "../../src/metrics/counters.ts";

describe("Counters", () => {
  test("a whole shows the sum of itself and its parts, at every depth", () => {
    const loop = new Counters(() => 0);
    const service = loop.part();
    const endpoint = service.part();
    loop.messagesSent = 1;
    service.messagesSent = 20;
    endpoint.messagesSent = 300;
    endpoint.failed(new RingwireError("ERR_PROTOCOL", "x"));
    service.failed(new RingwireError("ERR_PROTOCOL", "x"));
    endpoint.answered(4);
    loop.answered(8);
    expect(endpoint.snapshot()).toMatchObject({ messagesSent: 300, errors: { ERR_PROTOCOL: 1 } });
    expect(service.snapshot()).toMatchObject({ messagesSent: 320, errors: { ERR_PROTOCOL: 2 } });
    expect(loop.snapshot()).toMatchObject({ messagesSent: 321, roundTripMs: { count: 2, min: 4, max: 8 } });
  });

  test("what a part has counted stays with the whole when it ends", () => {
    const loop = new Counters(() => 0);
    const server = loop.part();
    server.opened();
    server.closed();
    server.fold();
    server.fold();
    server.messagesSent = 7;
    expect(loop.snapshot()).toMatchObject({ connectionsOpened: 1, connectionsClosed: 1, messagesSent: 0 });
  });

  test("reset forgets everything but what is open, in the parts too, and starts the clock again", () => {
    let nowMs = 1_000;
    const loop = new Counters(() => nowMs);
    const server = loop.part();
    server.opened();
    server.took(5);
    server.bytesReceived = 9;
    server.failed(new RingwireError("ERR_PROTOCOL", "x"));
    nowMs = 3_500;
    expect(loop.snapshot().elapsedMs).toBe(2_500);
    loop.reset();
    nowMs = 3_600;
    for (const counters of [loop, server]) {
      expect(counters.snapshot()).toMatchObject({
        elapsedMs: 100,
        connections: 1,
        connectionsOpened: 0,
        bytesReceived: 0,
        errors: {},
        openingMs: { count: 0 },
      });
    }
  });

  test("every number of a snapshot is counted, summed and reset", () => {
    const whole = new Counters(() => 0);
    const part = whole.part();
    const names = Object.keys(whole.snapshot()).filter((name) => {
      const value = (whole as unknown as Record<string, unknown>)[name];
      return typeof value === "number";
    });
    expect(names.length).toBe(11);
    for (const name of names) Object.assign(part, { [name]: 3 });
    for (const name of names) expect(whole.snapshot()).toMatchObject({ [name]: 3 });
    whole.reset();
    for (const name of names)
      expect(whole.snapshot()).toMatchObject({ [name]: name === "connections" ? 3 : 0 });
  });
});
