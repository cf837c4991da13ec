import { describe, expect, test } from "vitest";
import type { ConnectionHandler } from "../../src/transport.ts";
import {
  FEATURE_BUFFER_INCREMENTAL,
  FEATURE_MULTISHOT_ACCEPT,
  FEATURE_MULTISHOT_RECEIVE,
  FEATURE_RECEIVE_BUNDLE,
} from "../../src/uring/layout.ts";
import {
  Accepting,
  connectPair,
  connectTo,
  listenLocal,
  PatternCheck,
  Pump,
  type Recorder,
  sendText,
  until,
} from "../transport/recorder.ts";
import { missing, openTestTransport } from "./open_test_transport.ts";

describe.skipIf(missing !== undefined)("limits of the io_uring transport", () => {
  test("arenas that are too small or too large are refused", () => {
    expect(() => openTestTransport({}, { sendArenaBytes: 65_535 })).toThrow(RangeError);
    expect(() => openTestTransport({}, { receiveArenaBytes: 4_096 })).toThrow(RangeError);
    expect(() => openTestTransport({}, { receiveArenaBytes: 2 ** 30, sendArenaBytes: 2 ** 30 })).toThrow(
      RangeError,
    );
  });

  test("a reservation beyond the send arena is refused, and so is a commit without one", async () => {
    const transport = openTestTransport();
    const { client } = await connectPair(transport);
    const connection = client.connection!;
    expect(() => connection.reserve(connection.maxReserveBytes + 1)).toThrow(RangeError);
    const at = connection.reserve(10);
    expect(() => connection.commit(at - 1)).toThrow(RangeError);
    connection.commit(at + 10);
    expect(() => connection.commit(at + 20)).toThrow(RangeError);
    transport.close();
  });

  test("more sockets than maxConnections: connecting is refused, accepting fails, and room is used again", async () => {
    const transport = openTestTransport({}, { maxConnections: 3 });
    const accepting = new Accepting({ ended: (at) => at.connection!.close() });
    const listener = await listenLocal(transport, accepting);
    const first = connectTo(transport, listener);
    await until("three sockets are open", () => accepting.recorders.length === 1);
    expect(() => connectTo(transport, listener)).toThrow(
      expect.objectContaining({ code: "ERR_TOO_MANY_CONNECTIONS" }),
    );
    const outside = openTestTransport();
    const refused = connectTo(outside, listener);
    await until("accepting failed", () => accepting.failures.length > 0);
    expect(accepting.failures[0]?.code).toBe("ERR_TOO_MANY_CONNECTIONS");
    await until("the peer was let go", () => refused.events.length > 1);
    first.connection!.close();
    await until("room is free", () => first.closedCount === 1 && accepting.recorders[0]!.closedCount === 1);
    const second = connectTo(outside, listener, { opened: (at) => sendText(at.connection!, "in") });
    await until("it is in", () => accepting.recorders.at(-1)!.receivedBytes === 2);
    expect(second.closedCount).toBe(0);
    outside.close();
    transport.close();
  });

  test("a receive arena of two buffers and bursts of thousands of small sends lose nothing", async () => {
    const transport = openTestTransport({}, { receiveArenaBytes: 131_072, submissionEntries: 8 });
    const accepting = new Accepting({}, undefined, false);
    const listener = await listenLocal(transport, accepting);
    const clients = Array.from({ length: 100 }, () => connectTo(transport, listener));
    await until("all are connected", () => accepting.recorders.length === 100);
    // More records than the command array holds, because neighbours differ.
    for (let round = 0; round < 100; round++) {
      for (const client of clients) sendText(client.connection!, "0123456789".repeat(10));
    }
    await until("all is there", () => accepting.recorders.every((at) => at.receivedBytes === 10_000));
    transport.close();
  });

  for (const [name, disabledFeatures] of [
    ["incremental buffers", FEATURE_BUFFER_INCREMENTAL],
    ["bundles and incremental buffers", FEATURE_BUFFER_INCREMENTAL | FEATURE_RECEIVE_BUNDLE],
    ["multishot accept", FEATURE_MULTISHOT_ACCEPT],
    ["multishot receive", FEATURE_MULTISHOT_RECEIVE | FEATURE_RECEIVE_BUNDLE | FEATURE_BUFFER_INCREMENTAL],
  ] as const) {
    test(`without ${name} the same bytes arrive`, async () => {
      const transport = openTestTransport({ disabledFeatures });
      const pump = new Pump(4 << 20);
      const check = new PatternCheck();
      const { client } = await connectPair(
        transport,
        { drained: (at) => pump.run(at.connection!) },
        { received: (_, bytes, start, end) => check.take(bytes, start, end) },
        false,
      );
      pump.run(client.connection!);
      await until("all is there", () => check.at === 4 << 20);
      expect(check.wrongAt).toBe(-1);
      transport.close();
    });
  }

  test("a sender that fills the arena in one loop sees queuedBytes rise, and stops", async () => {
    const transport = openTestTransport();
    const { client, server } = await connectPair(transport, {}, {}, false);
    server.connection!.pause();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const pump = new Pump(256 << 20, 12 << 20);
    pump.run(client.connection!);
    expect(pump.isDone).toBe(false);
    expect(pump.sentBytes).toBeLessThan(32 << 20);
    expect(client.connection!.queuedBytes).toBeGreaterThan(11 << 20);
    transport.close();
  });

  test("connecting inside closed takes the freed slot without losing anybody's last event", async () => {
    const transport = openTestTransport({ drive: "manual" });
    const listener = await listenLocal(transport, new Accepting({ ended: (at) => at.connection!.close() }));
    const all: Recorder[] = [];
    const again = (): void => {
      if (all.length < 200)
        all.push(connectTo(transport, listener, { opened: (at) => at.connection!.abort(), closed: again }));
    };
    for (let index = 0; index < 20; index++) again();
    for (let tries = 0; tries < 10_000 && all.some((at) => at.closedCount === 0); tries++)
      transport.poll(1_000);
    expect(all.length).toBe(200);
    expect(all.every((at) => at.closedCount === 1 && at.events.at(-1) === "closed")).toBe(true);
    transport.close();
  });

  test("closing the transport inside a handler ends the walk", async () => {
    const transport = openTestTransport();
    let calls = 0;
    const handler: ConnectionHandler = {
      opened() {},
      received() {
        calls++;
        transport.close();
      },
      ended() {},
      drained() {},
      closed() {},
    };
    const listener = await listenLocal(transport, { accepted: () => handler, failed() {} });
    const clients = Array.from({ length: 10 }, () => connectTo(transport, listener));
    await until("all are connected", () => clients.every((at) => at.events.includes("opened")));
    for (const client of clients) sendText(client.connection!, "x");
    await until("all are closed", () => clients.every((at) => at.closedCount === 1));
    expect(calls).toBe(1);
    expect(() => transport.connect({ address: listener.address }, handler)).toThrow(
      expect.objectContaining({ code: "ERR_NOT_OPEN" }),
    );
  });
});
