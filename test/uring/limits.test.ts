import { describe, expect, test } from "vitest";
import type { Connection, ConnectionHandler } from "../../src/transport.ts";
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
  Recorder,
  sendBytes,
  sendText,
  until,
} from "../transport/recorder.ts";
import { missing, openTestTransport } from "./open_test_transport.ts";

/** Commits in one stretch until the kernel takes no more; returns how much that was. */
function fillSocket(connection: Connection): number {
  const pump = new Pump(64 << 20, 4 << 20);
  pump.run(connection);
  return pump.sentBytes;
}

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

  test("ten thousand flushes in one stretch keep queuedBytes exact, and drained comes once they have left", async () => {
    const transport = openTestTransport({}, { maxQueuedBytes: 512 << 20, maxQueuedTotalBytes: 512 << 20 });
    const accepting = new Accepting({}, undefined, false);
    const listener = await listenLocal(transport, accepting);
    const client = connectTo(transport, listener);
    const other = connectTo(transport, listener);
    await until("both are connected", () => accepting.recorders.length === 2);
    const connection = client.connection!;
    for (const recorder of accepting.recorders) recorder.connection!.pause();
    await new Promise((resolve) => setTimeout(resolve, 20));
    fillSocket(connection);
    sendText(other.connection!, "x");
    transport.flush();
    const before = connection.queuedBytes;
    expect(before).toBeGreaterThan(0);
    // More than there are event records.
    for (let index = 1; index <= 10_000; index++) {
      sendBytes(connection, new Uint8Array(100));
      if (index % 1_000 === 0) expect(connection.queuedBytes).toBeGreaterThan(before);
      transport.flush();
    }
    expect(connection.queuedBytes).toBe(before + 1_000_000);
    // A small message to somebody else still counts as gone once it is gone.
    sendText(other.connection!, "x");
    transport.flush();
    expect(other.connection!.queuedBytes).toBe(0);
    // The notices of these flushes are walked now. They are older than what queuedBytes has shown: nothing has drained.
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(connection.queuedBytes).toBe(before + 1_000_000);
    expect(client.drainedCount).toBe(0);
    for (const recorder of accepting.recorders) recorder.connection!.resume();
    await until("all has left", () => connection.queuedBytes === 0);
    expect(client.drainedCount).toBeGreaterThan(0);
    expect(client.closedCount).toBe(0);
    transport.close();
  });

  test("a sender of small messages that looks at queuedBytes stops at its limit, flushing after each", async () => {
    const transport = openTestTransport();
    const { client, server } = await connectPair(transport, {}, {}, false);
    server.connection!.pause();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const connection = client.connection!;
    let sent = fillSocket(connection);
    const limitBytes = connection.queuedBytes + 500_000;
    while (connection.queuedBytes < limitBytes && sent < 256 << 20) {
      sendBytes(connection, new Uint8Array(50));
      transport.flush();
      sent += 50;
    }
    expect(connection.queuedBytes).toBe(limitBytes);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(client.closedCount).toBe(0);
    transport.close();
  });

  test("one stretch that fills the queues of more peers than there are event records shows all of them", async () => {
    const count = 4_200;
    const transport = openTestTransport({}, { maxConnections: 2 * count + 10 });
    const accepting = new Accepting({}, undefined, false);
    const listener = await transport.listen(
      {
        address: { host: "127.0.0.1", port: 0, family: "ipv4" },
        sendBufferBytes: 4_096,
        receiveBufferBytes: 4_096,
      },
      accepting,
    );
    const clients: Recorder[] = [];
    while (clients.length < count) {
      for (let index = 0; index < 100; index++) {
        const client = new Recorder({}, false);
        client.connection = transport.connect(
          { address: listener.address, receiveBufferBytes: 4_096 },
          client,
        );
        client.connection.pause();
        clients.push(client);
      }
      await until("these are connected", () => accepting.recorders.length === clients.length);
    }
    const bytes = new Uint8Array(32_768);
    const peers = accepting.recorders;
    for (const peer of peers) sendBytes(peer.connection!, bytes);
    transport.flush();
    const queued = peers.map((peer) => peer.connection!.queuedBytes);
    expect(queued.filter((one) => one === 0).length).toBe(0);
    for (const peer of peers) sendBytes(peer.connection!, bytes);
    transport.flush();
    expect(peers.every((peer, index) => peer.connection!.queuedBytes === queued[index]! + 32_768)).toBe(true);
    for (const client of clients) client.connection!.resume();
    await until("all has arrived", () => clients.every((client) => client.receivedBytes === 65_536));
    await until("all were told", () => peers.every((peer) => peer.drainedCount > 0));
    transport.close();
  });

  test("a loop of sends to a peer that is gone comes to its limit", async () => {
    const outside = openTestTransport();
    const accepting = new Accepting();
    const listener = await listenLocal(outside, accepting);
    const transport = openTestTransport();
    const client = connectTo(transport, listener);
    await until("it is connected", () => accepting.recorders.length === 1 && client.events.length === 1);
    accepting.recorders[0]!.connection!.abort();
    outside.flush();
    const pump = new Pump(256 << 20, 2 << 20);
    pump.run(client.connection!);
    expect(pump.isDone).toBe(false);
    expect(pump.sentBytes).toBeLessThan(8 << 20);
    await until("it has heard", () => client.closedCount === 1);
    expect(client.connection!.queuedBytes).toBe(0);
    transport.close();
    outside.close();
  });

  test("what is committed inside received is told of by drained once it has left, however often it was flushed", async () => {
    const transport = openTestTransport();
    const { client, server } = await connectPair(
      transport,
      {},
      {
        received(at) {
          for (let index = 0; index < 3; index++) {
            sendText(at.connection!, "x");
            transport.flush();
          }
          sendText(at.connection!, "last");
        },
      },
    );
    sendText(client.connection!, "go");
    await until("the answer is there", () => client.receivedBytes === 7);
    await until("drained was called", () => server.drainedCount > 0);
    expect(server.connection!.queuedBytes).toBe(0);
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
