/** What every transport must do on every runtime, over real sockets: the contract at the top of src/transport.ts, as tests. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterEach, describe, expect, test } from "vitest";
import { RingwireError } from "../../src/errors.ts";
import type { ConnectionHandler, Transport, TransportLimits } from "../../src/transport.ts";
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
} from "./recorder.ts";

/** Opens the transport under test, driven by the runtime's loop (`auto`). */
export type OpenTransport = (limits?: Partial<TransportLimits>) => Transport | Promise<Transport>;

/** Runs `body` while uncaught errors are collected instead of failing the run. */
async function collectUncaught(body: (errors: unknown[]) => Promise<void>): Promise<void> {
  const errors: unknown[] = [];
  const saved = process.listeners("uncaughtException");
  const collect = (error: unknown): void => {
    errors.push(error);
  };
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", collect);
  try {
    await body(errors);
  } finally {
    process.removeListener("uncaughtException", collect);
    for (const listener of saved) process.on("uncaughtException", listener);
  }
}

/** Registers the tests. */
export function transportContract(name: string, open: OpenTransport): void {
  describe(`transport contract: ${name}`, () => {
    const opened: Transport[] = [];
    const start = async (limits?: Partial<TransportLimits>): Promise<Transport> => {
      const transport = await open(limits);
      opened.push(transport);
      return transport;
    };
    afterEach(() => {
      for (const transport of opened.splice(0)) transport.close();
    });

    basics(start);
    flow(start);
    endings(start);
    refusals(start);
    trouble(start);
  });
}

type Start = (limits?: Partial<TransportLimits>) => Promise<Transport>;

function basics(start: Start): void {
  test("bytes are echoed", async () => {
    const transport = await start();
    const { client, server } = await connectPair(
      transport,
      {},
      { received: (at, bytes, from, to) => sendBytes(at.connection!, bytes.slice(from, to)) },
    );
    expect(client.events).toEqual(["opened"]);
    sendText(client.connection!, "hello");
    await until("the echo is back", () => client.receivedBytes === 5);
    expect(client.text()).toBe("hello");
    expect(server.text()).toBe("hello");
    expect(server.events).toEqual(["received"]);
  });

  test("a port of 0 becomes a real one, and both ends agree on the addresses", async () => {
    const transport = await start();
    const { client, server, listener } = await connectPair(transport);
    expect(listener.address).toMatchObject({ host: "127.0.0.1", family: "ipv4" });
    expect(listener.address.port).toBeGreaterThan(0);
    expect(client.connection!.remoteAddress()).toEqual(listener.address);
    expect(server.connection!.localAddress()).toEqual(listener.address);
    expect(server.connection!.remoteAddress()).toEqual(client.connection!.localAddress());
  });

  test("the IPv6 loopback works", async () => {
    const transport = await start();
    const accepting = new Accepting();
    const listener = await transport.listen({ address: { host: "::1", port: 0, family: "ipv6" } }, accepting);
    expect(listener.address).toMatchObject({ host: "::1", family: "ipv6" });
    const client = connectTo(transport, listener, { opened: (at) => sendText(at.connection!, "six") });
    await until("the text is there", () => accepting.recorders[0]?.receivedBytes === 3);
    expect(client.connection!.remoteAddress()).toEqual(listener.address);
  });

  test("Unix sockets work, and their file is gone after close", async () => {
    const folder = mkdtempSync(join(tmpdir(), "ringwire-"));
    try {
      const transport = await start();
      const accepting = new Accepting();
      const address = { host: join(folder, "socket"), port: 0, family: "unix" } as const;
      const listener = await transport.listen({ address }, accepting);
      expect(listener.address).toEqual(address);
      connectTo(transport, listener, { opened: (at) => sendText(at.connection!, "unix") });
      await until("the text is there", () => accepting.recorders[0]?.receivedBytes === 4);
      listener.close();
      const again = await transport.listen({ address }, new Accepting());
      again.close();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("many commits of one turn arrive in order, on every connection", async () => {
    const transport = await start();
    const first = await connectPair(transport);
    const second = await connectPair(transport);
    let expected = "";
    for (let index = 0; index < 2_000; index++) {
      sendText(first.client.connection!, `${index};`);
      if (index % 3 === 0) sendText(second.client.connection!, `${index};`);
      expected += `${index};`;
    }
    await until("all is there", () => first.server.receivedBytes === expected.length);
    expect(first.server.text()).toBe(expected);
    const third = Array.from({ length: 667 }, (_, index) => `${index * 3};`).join("");
    await until("all is there", () => second.server.receivedBytes === third.length);
    expect(second.server.text()).toBe(third);
  });

  test("a commit may be shorter than its reservation, or empty, or never come", async () => {
    const transport = await start();
    const { client, server } = await connectPair(transport);
    const connection = client.connection!;
    connection.reserve(1_000);
    const at = connection.reserve(1_000);
    connection.out[at] = 97;
    connection.commit(at + 1);
    connection.commit(connection.reserve(10));
    sendText(connection, "b");
    await until("two bytes are there", () => server.receivedBytes === 2);
    expect(server.text()).toBe("ab");
  });

  test("one reservation may be as large as maxReserveBytes says", async () => {
    const transport = await start();
    const check = new PatternCheck();
    const { client } = await connectPair(
      transport,
      {},
      { received: (_, bytes, from, to) => check.take(bytes, from, to) },
      false,
    );
    const sizeBytes = client.connection!.maxReserveBytes;
    expect(sizeBytes).toBeGreaterThanOrEqual(65_536);
    const at = client.connection!.reserve(sizeBytes);
    const out = client.connection!.out;
    const pattern = (index: number): number => (index ^ (index >>> 8) ^ (index >>> 16)) & 0xff;
    for (let index = 0; index < sizeBytes; index++) out[at + index] = pattern(index);
    client.connection!.commit(at + sizeBytes);
    await until("all is there", () => check.at === sizeBytes);
    expect(check.wrongAt).toBe(-1);
  });

  test("500 connections at once each get their own bytes back", async () => {
    const transport = await start();
    const accepting = new Accepting({
      received: (at, bytes, from, to) => sendBytes(at.connection!, bytes.slice(from, to)),
    });
    const listener = await listenLocal(transport, accepting);
    const clients = Array.from({ length: 500 }, (_, index) =>
      connectTo(transport, listener, {
        opened: (at) => sendText(at.connection!, `connection ${index}`.padEnd(20)),
      }),
    );
    await until("all echoes are back", () => clients.every((client) => client.receivedBytes === 20));
    clients.forEach((client, index) => {
      expect(client.text()).toBe(`connection ${index}`.padEnd(20));
    });
    expect(transport.stats().connections).toBeGreaterThanOrEqual(1_000);
    for (const client of clients) client.connection!.close();
    await until("all are closed", () => clients.every((client) => client.closedCount === 1));
    for (const server of accepting.recorders) server.connection!.close();
    await until("all are closed", () => accepting.recorders.every((server) => server.closedCount === 1));
  });

  test("a flush inside a handler sends at once and calls no handler", async () => {
    const transport = await start();
    let depth = 0;
    let deepest = 0;
    const enter = (body: () => void): void => {
      deepest = Math.max(deepest, ++depth);
      body();
      depth--;
    };
    const { client, server } = await connectPair(
      transport,
      { received: () => enter(() => transport.flush()) },
      {
        received: (at) =>
          enter(() => {
            sendText(at.connection!, "1");
            transport.flush();
            sendText(at.connection!, "2");
          }),
      },
    );
    sendText(client.connection!, "go");
    transport.flush();
    await until("the answer is there", () => client.receivedBytes === 2);
    expect(client.text()).toBe("12");
    expect(server.text()).toBe("go");
    expect(deepest).toBe(1);
  });
}

function flow(start: Start): void {
  test("16 MiB both ways at once arrive whole", async () => {
    const transport = await start();
    const sizeBytes = 16 << 20;
    const pumps = [new Pump(sizeBytes), new Pump(sizeBytes)] as const;
    const checks = [new PatternCheck(), new PatternCheck()] as const;
    const { client, server } = await connectPair(
      transport,
      {
        received: (_, bytes, from, to) => checks[0].take(bytes, from, to),
        drained: (at) => pumps[0].run(at.connection!),
      },
      {
        received: (_, bytes, from, to) => checks[1].take(bytes, from, to),
        drained: (at) => pumps[1].run(at.connection!),
      },
      false,
    );
    pumps[0].run(client.connection!);
    pumps[1].run(server.connection!);
    await until("all is there", () => checks[0].at === sizeBytes && checks[1].at === sizeBytes, 30_000);
    expect(checks[0].wrongAt).toBe(-1);
    expect(checks[1].wrongAt).toBe(-1);
  });

  test("a paused connection receives nothing new until it is resumed, and loses nothing", async () => {
    const transport = await start();
    const sizeBytes = 8 << 20;
    const pump = new Pump(sizeBytes);
    const check = new PatternCheck();
    const { client, server } = await connectPair(
      transport,
      { drained: (at) => pump.run(at.connection!) },
      { received: (_, bytes, from, to) => check.take(bytes, from, to) },
      false,
    );
    server.connection!.pause();
    await new Promise((resolve) => setTimeout(resolve, 20));
    pump.run(client.connection!);
    await new Promise((resolve) => setTimeout(resolve, 150));
    const seen = server.receivedBytes;
    expect(seen).toBeLessThan(sizeBytes / 2);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(server.receivedBytes).toBe(seen);
    expect(client.connection!.queuedBytes).toBeGreaterThan(0);
    server.connection!.resume();
    await until("all is there", () => check.at === sizeBytes, 30_000);
    expect(check.wrongAt).toBe(-1);
  });

  test("pausing and resuming inside received loses nothing", async () => {
    const transport = await start();
    const sizeBytes = 2 << 20;
    const pump = new Pump(sizeBytes);
    const check = new PatternCheck();
    let pauses = 0;
    const { client } = await connectPair(
      transport,
      { drained: (at) => pump.run(at.connection!) },
      {
        received: (at, bytes, from, to) => {
          check.take(bytes, from, to);
          at.connection!.pause();
          if (++pauses % 8 === 0) setTimeout(() => at.connection!.resume(), 1);
          else at.connection!.resume();
        },
      },
      false,
    );
    pump.run(client.connection!);
    await until("all is there", () => check.at === sizeBytes, 30_000);
    expect(check.wrongAt).toBe(-1);
  });

  test("queuedBytes counts what was committed and falls back to 0, with drained", async () => {
    const transport = await start();
    const { client, server } = await connectPair(transport);
    expect(client.connection!.queuedBytes).toBe(0);
    sendText(client.connection!, "0123456789");
    expect(client.connection!.queuedBytes).toBe(10);
    await until("it has left", () => client.connection!.queuedBytes === 0);
    await until("it is there", () => server.receivedBytes === 10);
    await until("drained was called", () => client.drainedCount > 0);
  });

  test("a peer that never reads is cut off at maxQueuedBytes", async () => {
    const transport = await start({ maxQueuedBytes: 4 << 20 });
    const { client, server } = await connectPair(transport, {}, {}, false);
    server.connection!.pause();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const chunk = new Uint8Array(65_536);
    for (let index = 0; index < 1_024 && client.closedCount === 0; index++) {
      sendBytes(client.connection!, chunk);
      if (index % 8 === 7) await new Promise((resolve) => setTimeout(resolve, 0));
      expect(client.connection!.queuedBytes).toBeLessThan(6 << 20);
    }
    await until("it is closed", () => client.closedCount === 1);
    expect(client.error?.code).toBe("ERR_BACKPRESSURE");
  });
}

function endings(start: Start): void {
  test("after a half-close the other direction still works", async () => {
    const transport = await start();
    const { client, server } = await connectPair(
      transport,
      {},
      {
        ended: (at) => {
          sendText(at.connection!, "last words");
          at.connection!.close();
        },
      },
    );
    sendText(client.connection!, "question");
    client.connection!.end();
    await until("the server has ended", () => client.events.includes("ended"));
    expect(server.text()).toBe("question");
    expect(client.text()).toBe("last words");
    client.connection!.close();
    await until("both are closed", () => client.closedCount === 1 && server.closedCount === 1);
    expect(client.error).toBeUndefined();
    expect(server.error).toBeUndefined();
    expect(server.events).toEqual(["received", "ended", "closed"]);
    expect(client.events).toEqual(["opened", "received", "ended", "closed"]);
  });

  test("close sends what is queued first", async () => {
    const transport = await start();
    const check = new PatternCheck();
    const { client, server } = await connectPair(
      transport,
      {},
      {
        received: (_, bytes, from, to) => check.take(bytes, from, to),
        ended: (at) => at.connection!.close(),
      },
      false,
    );
    const pump = new Pump(4 << 20, 8 << 20);
    pump.run(client.connection!);
    expect(pump.isDone).toBe(true);
    client.connection!.close();
    await until("all is there", () => check.at === 4 << 20);
    expect(check.wrongAt).toBe(-1);
    await until("both are closed", () => client.closedCount === 1 && server.closedCount === 1);
    expect(client.error).toBeUndefined();
    expect(server.error).toBeUndefined();
  });

  test("abort resets the peer", async () => {
    const transport = await start();
    const { client, server } = await connectPair(transport);
    sendText(client.connection!, "x");
    await until("the byte is there", () => server.receivedBytes === 1);
    client.connection!.abort();
    expect(client.closedCount).toBe(0);
    await until("both are closed", () => client.closedCount === 1 && server.closedCount === 1);
    expect(client.error).toBeUndefined();
    expect(server.error?.code).toBe("ERR_CONNECTION_RESET");
  });

  test("closed comes once, last and never inside the call, whatever is called", async () => {
    const transport = await start();
    const { client } = await connectPair(transport);
    const connection = client.connection!;
    connection.close();
    connection.abort();
    connection.close();
    connection.abort();
    expect(client.closedCount).toBe(0);
    await until("it is closed", () => client.closedCount === 1);
    connection.pause();
    connection.resume();
    connection.end();
    connection.close();
    connection.abort();
    sendText(connection, "into the void");
    transport.flush();
    expect(connection.queuedBytes).toBe(0);
    expect(connection.remoteAddress()).toBeUndefined();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(client.closedCount).toBe(1);
    expect(client.events.at(-1)).toBe("closed");
  });

  test("calls on a dead connection never reach the one that has its place", async () => {
    const transport = await start();
    const accepting = new Accepting();
    const listener = await listenLocal(transport, accepting);
    const dead = connectTo(transport, listener);
    await until("it is connected", () => dead.events.includes("opened") && accepting.recorders.length === 1);
    dead.connection!.abort();
    await until(
      "both ends are gone",
      () => dead.closedCount === 1 && accepting.recorders[0]!.closedCount === 1,
    );
    const alive = connectTo(transport, listener);
    await until("it is connected", () => alive.events.includes("opened") && accepting.recorders.length === 2);
    for (const stale of [dead.connection!, accepting.recorders[0]!.connection!]) {
      sendText(stale, "stale");
      stale.end();
      stale.close();
      stale.abort();
    }
    sendText(alive.connection!, "alive");
    await until("the text is there", () => accepting.recorders[1]!.receivedBytes === 5);
    expect(accepting.recorders[1]!.text()).toBe("alive");
    expect(alive.closedCount).toBe(0);
  });

  for (const call of ["close", "abort"] as const) {
    test(`${call} works inside accepted, opened, received and ended`, async () => {
      const transport = await start();
      const inAccepted = new Accepting({}, (recorder) => recorder.connection![call]());
      const first = connectTo(transport, await listenLocal(transport, inAccepted), {
        ended: (at) => at.connection!.close(),
      });
      await until(
        "accepted closes",
        () => inAccepted.recorders[0]?.closedCount === 1 && first.closedCount === 1,
      );

      const peer = new Accepting({ ended: (at) => at.connection!.close() });
      const listener = await listenLocal(transport, peer);
      const second = connectTo(transport, listener, { opened: (at) => at.connection![call]() });
      await until(
        "opened closes",
        () => second.closedCount === 1 && peer.recorders.every((at) => at.closedCount === 1),
      );

      const { client: third, server } = await connectPair(
        transport,
        { ended: (at) => at.connection!.close() },
        { received: (at) => at.connection![call]() },
      );
      sendText(third.connection!, "now");
      await until("received closes", () => server.closedCount === 1 && third.closedCount === 1);

      const { client: fourth, server: other } = await connectPair(
        transport,
        {},
        { ended: (at) => at.connection![call]() },
      );
      fourth.connection!.end();
      await until("ended closes", () => other.closedCount === 1);
      fourth.connection!.abort();
      await until("the client closes", () => fourth.closedCount === 1);
    });
  }

  test("closing another connection inside a handler works", async () => {
    const transport = await start();
    const first = await connectPair(transport);
    const second = await connectPair(transport, {}, { received: () => first.server.connection!.abort() });
    sendText(first.client.connection!, "to a connection that is aborted in the same turn");
    sendText(second.client.connection!, "now");
    await until(
      "the first is closed",
      () => first.server.closedCount === 1 && first.client.closedCount === 1,
    );
    expect(second.server.closedCount).toBe(0);
  });

  test("a closed listener takes nobody, and its connections live on", async () => {
    const transport = await start();
    const { client, server, listener } = await connectPair(transport);
    listener.close();
    listener.close();
    const late = connectTo(transport, listener);
    await until("it is refused", () => late.closedCount === 1);
    expect(late.error?.code).toBe("ERR_CONNECTION_REFUSED");
    sendText(client.connection!, "still here");
    await until("the text is there", () => server.receivedBytes === 10);
  });

  test("closing the transport closes every connection before it returns, once", async () => {
    const transport = await start();
    const first = await connectPair(transport);
    const second = await connectPair(transport);
    transport.close();
    const all = [first.client, first.server, second.client, second.server];
    expect(all.map((at) => at.closedCount)).toEqual([1, 1, 1, 1]);
    transport.close();
    sendText(first.client.connection!, "nobody is there");
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(all.map((at) => at.closedCount)).toEqual([1, 1, 1, 1]);
  });
}

function refusals(start: Start): void {
  test("a refused connect is closed with ERR_CONNECTION_REFUSED, later", async () => {
    const transport = await start();
    const listener = await listenLocal(transport, new Accepting());
    listener.close();
    const client = connectTo(transport, listener);
    expect(client.closedCount).toBe(0);
    await until("it is closed", () => client.closedCount === 1);
    expect(client.events).toEqual(["closed"]);
    expect(client.error).toBeInstanceOf(RingwireError);
    expect(client.error?.code).toBe("ERR_CONNECTION_REFUSED");
    expect(client.error?.message).toContain(`127.0.0.1:${listener.address.port}`);
  });

  test("listening on an address in use is refused", async () => {
    const transport = await start();
    const listener = await listenLocal(transport, new Accepting());
    const again = transport.listen({ address: listener.address }, new Accepting());
    await expect(again).rejects.toMatchObject({ name: "RingwireError", code: "ERR_ADDRESS_IN_USE" });
  });

  test("listening on an address of another machine is refused", async () => {
    const transport = await start();
    const foreign = transport.listen(
      { address: { host: "192.0.2.1", port: 0, family: "ipv4" } },
      new Accepting(),
    );
    await expect(foreign).rejects.toMatchObject({ code: "ERR_ADDRESS_NOT_AVAILABLE" });
  });

  test("a connect can be given up before it has an outcome", async () => {
    const transport = await start();
    const client = new Recorder();
    client.connection = transport.connect(
      { address: { host: "192.0.2.1", port: 9, family: "ipv4" } },
      client,
    );
    client.connection.abort();
    await until("it is closed", () => client.closedCount === 1);
    expect(client.events).toEqual(["closed"]);
  });
}

function trouble(start: Start): void {
  test("a handler that throws is reported and harms no other connection", async () => {
    const transport = await start();
    await collectUncaught(async (errors) => {
      const bad = await connectPair(
        transport,
        {},
        {
          received: () => {
            throw new Error("thrown by a test handler");
          },
        },
      );
      const good = await connectPair(
        transport,
        {},
        { received: (at, bytes, from, to) => sendBytes(at.connection!, bytes.slice(from, to)) },
      );
      sendText(bad.client.connection!, "x");
      sendText(good.client.connection!, "y");
      await until("the good one has its echo", () => good.client.receivedBytes === 1);
      await until("the error was reported", () => errors.length > 0);
      expect(String(errors[0])).toContain("thrown by a test handler");
      sendText(good.client.connection!, "z");
      await until("the good one goes on", () => good.client.receivedBytes === 2);
    });
  });

  test("an accepted callback that throws costs that connection only", async () => {
    const transport = await start();
    await collectUncaught(async (errors) => {
      let count = 0;
      const good = new Recorder();
      const listener = await listenLocal(transport, {
        accepted(connection): ConnectionHandler {
          if (++count === 1) throw new Error("thrown by accepted");
          good.connection = connection;
          return good;
        },
        failed() {},
      });
      const first = connectTo(transport, listener, { ended: (at) => at.connection!.close() });
      await until("the first is closed", () => first.closedCount === 1);
      await until("the error was reported", () => errors.length === 1);
      connectTo(transport, listener, { opened: (at) => sendText(at.connection!, "ok") });
      await until("the second works", () => good.receivedBytes === 2);
    });
  });
}
