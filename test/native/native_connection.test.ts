/** What the contract does not say about connections over native sockets: floods, floors, limits, drives. */

import { type AddressInfo, connect as connectNet, createServer, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { openNativeTransport } from "../../src/native/native_transport.ts";
import { runtime } from "../../src/runtime/detect.ts";
import type { DriveOptions, Transport, TransportLimits } from "../../src/transport.ts";
import { cpuMs, leastGrowth } from "../process_cpu.ts";
import { openDescriptors } from "../process_memory.ts";
import {
  Accepting,
  connectPair,
  connectTo,
  listenLocal,
  patternByte,
  Recorder,
  sendBytes,
  sendText,
  until,
} from "../transport/recorder.ts";

const LIMITS: TransportLimits = {
  maxConnections: 65_536,
  receiveArenaBytes: 8 << 20,
  sendArenaBytes: 2 << 20,
  maxQueuedBytes: 64 << 20,
  maxQueuedTotalBytes: 1 << 30,
  submissionEntries: 256,
};

const opened: Transport[] = [];
function open(
  limits: Partial<TransportLimits> = {},
  drive: DriveOptions["drive"] = "auto",
  spinUs = 0,
): Transport {
  const transport = openNativeTransport({
    runtime,
    drive,
    spinUs,
    limits: { ...LIMITS, ...limits },
    reason: "a test",
  });
  opened.push(transport);
  return transport;
}
afterEach(() => {
  for (const transport of opened.splice(0)) transport.close();
});

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("native connections", () => {
  test("5,000 connects and closes leave no descriptor behind", async () => {
    const transport = open();
    const accepting = new Accepting({ ended: (at) => at.connection!.close() }, undefined, false);
    const listener = await listenLocal(transport, accepting);
    const round = async (count: number): Promise<void> => {
      const clients: Recorder[] = [];
      for (let index = 0; index < count; index++) {
        clients.push(
          connectTo(transport, listener, {
            opened: (at) => (index % 2 === 0 ? at.connection!.close() : at.connection!.abort()),
          }),
        );
      }
      await until("all are closed", () => clients.every((client) => client.closedCount === 1));
      for (const client of clients) expect(client.error).toBeUndefined();
    };
    await round(100);
    await sleep(50);
    const before = openDescriptors();
    for (let index = 0; index < 50; index++) await round(100);
    await until("the server's ends are gone", () => transport.stats().connections === 0);
    await until("descriptors are back", () => openDescriptors() <= before + 5);
  });

  test("a peer that never reads costs its queue and no more, and 100 of them no more than the total", async () => {
    const transport = open({ maxQueuedTotalBytes: 8 << 20 });
    const stalled = createServer({ pauseOnConnect: true }).listen(0, "127.0.0.1");
    try {
      await until("it listens", () => stalled.listening);
      const { port } = stalled.address() as AddressInfo;
      const clients = Array.from({ length: 100 }, () => {
        const recorder = new Recorder();
        recorder.connection = transport.connect(
          { address: { host: "127.0.0.1", port, family: "ipv4" } },
          recorder,
        );
        return recorder;
      });
      await until("all are open", () => clients.every((client) => client.events.includes("opened")));
      const chunk = new Uint8Array(65_536);
      for (let round = 0; round < 128; round++) {
        for (const client of clients) sendBytes(client.connection!, chunk);
        const total = clients.reduce((sum, client) => sum + client.connection!.queuedBytes, 0);
        expect(total).toBeLessThan(24 << 20);
        await sleep(0);
        if (clients.some((client) => client.closedCount === 1)) break;
      }
      await until("some are cut off", () => clients.some((client) => client.closedCount === 1));
      expect(clients.find((client) => client.closedCount === 1)!.error?.code).toBe("ERR_BACKPRESSURE");
    } finally {
      transport.close();
      stalled.close();
    }
  });

  test("a peer's reset is told as ERR_CONNECTION_RESET", async () => {
    const transport = open();
    const peers: Socket[] = [];
    const server = createServer((socket) => peers.push(socket.on("error", () => {}))).listen(0, "127.0.0.1");
    try {
      await until("it listens", () => server.listening);
      const { port } = server.address() as AddressInfo;
      const recorder = new Recorder();
      recorder.connection = transport.connect(
        { address: { host: "127.0.0.1", port, family: "ipv4" } },
        recorder,
      );
      await until("it is open", () => recorder.events.includes("opened") && peers.length === 1);
      peers[0]!.resetAndDestroy();
      await until("it is closed", () => recorder.closedCount === 1);
      expect(recorder.error?.code).toBe("ERR_CONNECTION_RESET");
      expect(recorder.events.at(-1)).toBe("closed");
    } finally {
      server.close();
    }
  });

  test("close ends though the peer never sends its FIN", async () => {
    const transport = open();
    const { client, server } = await connectPair(transport);
    client.connection!.close();
    await until("the client is closed", () => client.closedCount === 1, 5_000);
    expect(client.error).toBeUndefined();
    expect(server.events).toContain("ended");
  });

  test.each([100, 40_000])(
    "a read of %i bytes stays as it is while its handler sends more than ever before, and flushes",
    async (size) => {
      const transport = open();
      const read = Uint8Array.from({ length: size }, (_, index) => patternByte(index));
      let isIntact = true;
      const accepting = new Accepting({
        received(at, bytes, start, end) {
          const before = bytes.slice(start, end);
          for (let round = 0; round < 20; round++) {
            sendBytes(at.connection!, new Uint8Array(60_000).fill(0xee));
            if (round === 10) transport.flush();
          }
          isIntact &&= bytes.subarray(start, end).every((byte, index) => byte === before[index]);
        },
      });
      const client = connectTo(transport, await listenLocal(transport, accepting), {}, false);
      sendBytes(client.connection!, read);
      await until("all of it is there", () => accepting.recorders[0]?.receivedBytes === size);
      expect(accepting.recorders[0]!.bytes()).toEqual(read);
      expect(isIntact).toBe(true);
      await until("the answers are there", () => client.receivedBytes >= 20 * 60_000);
    },
  );

  test("what is sent before a connect has its outcome arrives, and close waits for it", async () => {
    const transport = open();
    const accepting = new Accepting({ ended: (at) => at.connection!.close() });
    const listener = await listenLocal(transport, accepting);
    const client = connectTo(transport, listener);
    sendText(client.connection!, "early");
    client.connection!.close();
    await until("it is closed", () => client.closedCount === 1);
    await until("the text is there", () => accepting.recorders[0]?.receivedBytes === 5);
    expect(client.error).toBeUndefined();
  });

  test("turns that send to 200 connections in rounds keep each one's order", async () => {
    const transport = open();
    const accepting = new Accepting();
    const listener = await listenLocal(transport, accepting);
    const clients = Array.from({ length: 200 }, () => connectTo(transport, listener));
    await until("all are open", () => accepting.recorders.length === 200);
    let expected = "";
    for (let round = 0; round < 20; round++) {
      const text = `${round}`.padStart(300 * (1 + (round % 5)), ".");
      expected += text;
      for (const server of accepting.recorders) sendText(server.connection!, text);
    }
    await until("all is there", () => clients.every((client) => client.receivedBytes === expected.length));
    for (const client of clients) expect(client.text()).toBe(expected);
  });

  test("connections beyond maxConnections are refused, and failed says so", async () => {
    const transport = open({ maxConnections: 3 });
    const accepting = new Accepting();
    const listener = await listenLocal(transport, accepting);
    const { host, port } = listener.address;
    const sockets = Array.from({ length: 4 }, () => connectNet(port, host).on("error", () => {}));
    await until("two are in, two are not", () => accepting.failures.length === 2);
    expect(accepting.recorders.length).toBe(2);
    expect(accepting.failures[0]!.code).toBe("ERR_TOO_MANY_CONNECTIONS");
    expect(() => transport.connect({ address: listener.address }, new Recorder())).toThrow("maxConnections");
    for (const socket of sockets) socket.destroy();
  });

  test("a sender that goes on in drained does not starve timers", async () => {
    const transport = open();
    let sent = 0;
    let isStopped = false;
    const { client } = await connectPair(
      transport,
      {
        drained: (at) => {
          if (isStopped) return;
          sent++;
          sendText(at.connection!, "more");
        },
      },
      {},
      false,
    );
    sendText(client.connection!, "first");
    await sleep(50);
    await until("it has gone on", () => sent > 10);
    isStopped = true;
  });

  test("polling is refused, and spinning stops by itself", async () => {
    const transport = open({}, "spin", 2_000);
    expect(transport.canPoll).toBe(false);
    expect(() => transport.poll(0)).toThrow("event loop drives them");
    const { client, server } = await connectPair(transport);
    sendText(client.connection!, "spun");
    await until("it is there", () => server.receivedBytes === 4);
    expect(await leastGrowth(50, cpuMs)).toBeLessThan(15);
  });

  test("reservations and commits out of bounds are refused", async () => {
    const transport = open();
    const { client } = await connectPair(transport);
    const connection = client.connection!;
    expect(() => connection.reserve(connection.maxReserveBytes + 1)).toThrow(RangeError);
    expect(() => connection.commit(5)).toThrow(RangeError);
    const at = connection.reserve(10);
    expect(() => connection.commit(at + 11)).toThrow(RangeError);
  });

  test("a closed transport refuses to listen and to connect", async () => {
    const transport = open();
    transport.close();
    await expect(listenLocal(transport, new Accepting())).rejects.toMatchObject({ code: "ERR_NOT_OPEN" });
    const address = { host: "127.0.0.1", port: 9, family: "ipv4" } as const;
    expect(() => transport.connect({ address }, new Recorder())).toThrow("closed");
  });
});
