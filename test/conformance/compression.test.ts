/** permessage-deflate (RFC 7692) between real sockets: with ourselves, with ws, with this runtime's own, and with who means harm. */

import { randomFillSync } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engineOf } from "../../src/loop.ts";
import { type CompressionOptions, type Socket, WebSocket } from "../../src/mod.ts";
import type { Codec } from "../../src/protocol/codec.ts";
import { runtime } from "../../src/runtime/detect.ts";
import { residentMib } from "../process_memory.ts";
import { concat, frame } from "../protocol/frames.ts";
import { compress, restore } from "../protocol/zlib_stream.ts";
import { Journal } from "./journal.ts";
import { type Running, startPeer } from "./processes.ts";
import type { RawPeer } from "./raw_peer.ts";
import { onEachTransport, type Rig } from "./rig.ts";

const KIB = 1 << 10;
const MIB = 1 << 20;
const echo = { message: (ws: Socket, data: string | Uint8Array) => void ws.send(data) };
const ALL: CompressionOptions = { thresholdBytes: 0 };
const OFFER = ["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"];
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Alike from message to message, as market data is, but never equal. */
function quote(index: number): string {
  const price = (100 + ((index * 7919) % 1000) / 100).toFixed(2);
  return `{"type":"quote","symbol":"RW${index % 50}","bid":${price},"ask":${price}1,"size":${index % 977},"sequence":${index}}`;
}

/** Has each message that a loop's inflaters restore counted, until `rig.clear`. */
function watchInflaters(rig: Rig, restored: () => void): void {
  const { transport } = engineOf(rig.loop);
  const { codec } = transport;
  const watching: Codec = {
    name: codec.name,
    openDeflater: (...given) => codec.openDeflater(...given),
    openInflater(parameters) {
      const inflater = codec.openInflater(parameters);
      const { inflate } = inflater;
      inflater.inflate = (...given): number => {
        restored();
        return inflate.apply(inflater, given);
      };
      return inflater;
    },
    copyCrc32: codec.copyCrc32,
    close: () => codec.close(),
  };
  Object.defineProperty(transport, "codec", { value: watching, configurable: true });
  rig.after(() => Reflect.deleteProperty(transport, "codec"));
}

/** Sends over one socket what is echoed, in both kinds and many sizes, and counts what is wrong. */
async function echoes(socket: Socket, sizes: readonly number[]): Promise<number> {
  const messages = socket[Symbol.asyncIterator]();
  let wrong = 0;
  for (const [index, size] of sizes.entries()) {
    const text = `${quote(index)},é☃`.repeat(Math.ceil(size / 60)).slice(0, size);
    const bytes = index % 2 === 0 ? randomFillSync(new Uint8Array(size)) : new TextEncoder().encode(text);
    socket.send(text);
    socket.send(bytes);
    const first = (await messages.next()).value;
    const second = (await messages.next()).value;
    if (first?.isText !== true || first.text() !== text) wrong++;
    if (second?.isText !== false || !Buffer.from(second.bytes()).equals(bytes)) wrong++;
  }
  return wrong;
}

onEachTransport("compression among ourselves", (rig) => {
  const SIZES = [0, 1, 9, 10, 11, 1_023, 1_024, 1_025, 100, 5_000, 70_000, 3, 1_024, 300_000, 20];
  const MODES: readonly (CompressionOptions | "disabled" | "shared" | "dedicated")[] = [
    "disabled",
    "shared",
    "dedicated",
    { mode: "shared", thresholdBytes: 10, windowBits: 9, peerWindowBits: 10, level: 1 },
    { mode: "dedicated", thresholdBytes: 10, windowBits: 8, peerWindowBits: 8, level: 9, memoryLevel: 1 },
    { mode: "dedicated", thresholdBytes: 0, windowBits: 12 },
  ];

  test("every mode of a client with every mode of a server, sizes around the threshold, in order", async () => {
    for (const ours of MODES) {
      const seen: string[] = [];
      const server = await rig.serve({
        websocket: { compression: ours, ...echo, open: (ws) => void seen.push(ws.extensions) },
      });
      for (const theirs of MODES) {
        const client = await rig.connect(server, { websocket: { compression: theirs } });
        const isOff = ours === "disabled" || theirs === "disabled";
        expect(client.extensions).toMatch(isOff ? /^$/ : /^permessage-deflate/);
        expect(client.extensions).toBe(seen.pop());
        expect(await echoes(client, SIZES)).toBe(0);
        client.close();
      }
    }
  });

  for (const [mode, agreed] of [
    ["shared", "permessage-deflate; server_no_context_takeover; client_no_context_takeover"],
    ["dedicated", "permessage-deflate"],
  ] as const) {
    test(`${mode}: messages of a batch are restored and sent on, 20,000 of them, in fragments too`, async () => {
      const COUNT = 20_000;
      const server = await rig.serve({
        websocket: {
          compression: { mode, thresholdBytes: 60 },
          fragmentBytes: 100,
          maxBufferedBytes: 64 * MIB,
          batch(ws, messages) {
            for (const message of messages) ws.send(message);
          },
        },
      });
      let next = 0;
      let wrong = 0;
      const client = await rig.connect(server, {
        websocket: {
          compression: { mode, thresholdBytes: 60 },
          maxBufferedBytes: 64 * MIB,
          message(ws, data) {
            // Every third is below the threshold.
            if (data !== (next % 3 === 0 ? `short ${next}` : quote(next))) wrong++;
            if (++next === COUNT) ws.close();
          },
        },
      });
      expect(client.extensions).toBe(agreed);
      for (let index = 0; index < COUNT; index++)
        client.send(index % 3 === 0 ? `short ${index}` : quote(index));
      expect(await client.closed).toMatchObject({ code: 1000 });
      expect([next, wrong]).toEqual([COUNT, 0]);
    });

    test(`${mode}: 16 MiB go both ways, alike and random`, async () => {
      const { client } = await rig.pair(
        { compression: mode, maxMessageBytes: 16 * MIB, maxBufferedBytes: 40 * MIB, ...echo },
        { compression: mode, maxBufferedBytes: 40 * MIB },
      );
      const messages = client[Symbol.asyncIterator]();
      for (const data of [new Uint8Array(16 * MIB).fill(9), randomFillSync(new Uint8Array(16 * MIB))]) {
        client.send(data);
        const message = (await messages.next()).value;
        expect(Buffer.from(message?.bytes() ?? "").equals(data)).toBe(true);
      }
    });
  }

  test("fragments with a ping between them, views, bytes for text: all deliveries", async () => {
    for (const delivery of ["message", "batch", "queue"] as const) {
      const seen: string[] = [];
      const record = (data: Uint8Array | string): void => void seen.push(Buffer.from(data).toString());
      const server = await rig.serve({
        websocket: {
          compression: ALL,
          text: "bytes",
          zeroCopy: true,
          ...(delivery === "message" ? { message: (_ws, data) => record(data) } : {}),
          ...(delivery === "batch"
            ? {
                batch: (_ws, messages) => {
                  for (const message of messages) record(message.bytes());
                },
              }
            : {}),
          async open(ws) {
            // It ends with a break, when the test is over.
            if (delivery !== "queue") return;
            const taking = (async () => {
              for await (const message of ws) record(message.bytes());
            })();
            await taking.catch(() => undefined);
          },
        },
      });
      const peer = await rig.raw(server);
      await peer.upgrade(OFFER);
      const payload = compress(quote(1));
      peer.write(
        concat(
          frame(0xc1, payload, { key: [1, 2, 3, 4] }),
          frame(0x41, payload.subarray(0, 7), { key: [1, 2, 3, 4] }),
          frame(0x89, "ping", { key: [1, 2, 3, 4] }),
          frame(0x80, payload.subarray(7), { key: [4, 3, 2, 1] }),
          frame(0x82, "plain", { key: [9, 9, 9, 9] }),
          frame(0xc2, compress("é".repeat(100_000)), { key: [1, 1, 1, 1] }),
        ),
      );
      expect(await peer.seeFrame()).toMatchObject({ first: 0x8a });
      await expect.poll(() => seen.length).toBe(4);
      expect(seen).toEqual([quote(1), quote(1), "plain", "é".repeat(100_000)]);
    }
  });

  test("what a paused program has not taken comes when it resumes, then the close", async () => {
    const { client, accepted } = await rig.pair({ compression: ALL }, { compression: ALL });
    client.pause();
    for (let index = 0; index < 500; index++) accepted.send(quote(index));
    accepted.close(3456, "done");
    await pause(100);
    client.resume();
    const seen: string[] = [];
    for await (const message of client) seen.push(message.text());
    expect(seen).toEqual(Array.from({ length: 500 }, (_, index) => quote(index)));
    expect(await client.closed).toMatchObject({ code: 3456 });
  });

  test("a slow reader holds the sender up: what is queued is counted as sent, and nothing is lost", async () => {
    const COUNT = 3_000;
    const noise = Array.from({ length: 7 }, () => randomFillSync(new Uint8Array(10_000)));
    let next = 0;
    let most = 0;
    const pump = (ws: Socket): void => {
      while (next < COUNT) {
        const status = ws.send(noise[next % 7]);
        most = Math.max(most, ws.bufferedAmount);
        if (status === "dropped") return;
        next++;
        if (status === "queued") return;
      }
      ws.close();
    };
    const server = await rig.serve({
      websocket: { compression: ALL, maxBufferedBytes: 200_000, open: pump, drain: pump },
    });
    const client = await rig.connect(server, { websocket: { compression: ALL, maxUnreadBytes: 50_000 } });
    let seen = 0;
    for await (const message of client) {
      if (!Buffer.from(message.bytes()).equals(noise[seen % 7])) throw new Error(`message ${seen} is wrong`);
      if (++seen % 100 === 0) await pause(1);
    }
    expect(seen).toBe(COUNT);
    expect(most).toBeLessThan(220_000);
  });

  test("the class of browsers: offers what it is told, and shows what came of it", async () => {
    const server = await rig.serve({ websocket: { compression: ALL, ...echo } });
    for (const [compression, extensions] of [
      [undefined, ""],
      ["dedicated", "permessage-deflate"],
    ] as const) {
      const ws = new WebSocket(server.url, {
        loop: rig.loop,
        ...(compression === undefined ? {} : { compression }),
      });
      expect(ws.extensions).toBe("");
      await new Promise((resolve) => ws.addEventListener("open", resolve));
      expect(ws.extensions).toBe(extensions);
      ws.send(quote(5).repeat(50));
      const event = await new Promise<MessageEvent>((resolve) => {
        ws.onmessage = resolve;
      });
      expect(event.data).toBe(quote(5).repeat(50));
      ws.close();
    }
  });

  test("options that make no sense are refused at once", async () => {
    const refused: [unknown, RegExp][] = [
      ["zip", /"disabled", "shared", "dedicated"/],
      [true, /must be one of/],
      [null, /must be one of/],
      [{ mode: "zip" }, /compression\.mode/],
      [{ windowBits: 7 }, /8 to 15/],
      [{ peerWindowBits: 16 }, /8 to 15/],
      [{ level: 0 }, /1 to 9/],
      [{ memoryLevel: 10 }, /1 to 9/],
      [{ thresholdBytes: -1 }, /thresholdBytes/],
      [{ threshold: 1 }, /thresholdBytes/],
    ];
    for (const [compression, message] of refused) {
      const websocket = { compression: compression as CompressionOptions };
      await expect(rig.serve({ websocket })).rejects.toThrow(message);
      await expect(rig.connect("ws://127.0.0.1:1/", { websocket })).rejects.toThrow(message);
    }
  });
});

onEachTransport("compression with bytes by hand", (rig) => {
  /** A server of ours and a connection to it that has agreed on compression. */
  async function attack(
    websocket: object = {},
    journal: Journal = new Journal(),
  ): Promise<{ peer: RawPeer; journal: Journal; head: string }> {
    const server = await rig.serve({ websocket: { compression: ALL, ...websocket, ...journal.handlers() } });
    const peer = await rig.raw(server);
    const head = await peer.upgrade(OFFER);
    return { peer, journal, head };
  }

  test("a server answers an offer in its head, and compresses what it sends", async () => {
    const server = await rig.serve({
      websocket: { compression: { mode: "shared", thresholdBytes: 20 }, ...echo },
    });
    const peer = await rig.raw(server);
    const head = await peer.upgrade(OFFER);
    expect(head).toContain(
      "\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n",
    );
    peer.frame(0xc1, compress(quote(1)));
    const { first, payload } = await peer.seeFrame();
    expect(first).toBe(0xc1);
    expect(Buffer.from(restore(payload)).toString()).toBe(quote(1));
    peer.frame(0x81, "short");
    expect(await peer.seeFrame()).toMatchObject({ first: 0x81 });
  });

  test("a server without compression, or with an offer that it cannot meet, goes on without", async () => {
    const disabled = await rig.serve({ websocket: echo });
    const enabled = await rig.serve({ websocket: { compression: ALL, ...echo } });
    for (const [server, offer] of [
      [disabled, OFFER[0]],
      [enabled, "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=7"],
      [enabled, 'Sec-WebSocket-Extensions: permessage-deflate; x="'],
      [enabled, "Sec-WebSocket-Extensions: __proto__, constructor; toString"],
    ] as const) {
      const peer = await rig.raw(server);
      expect(await peer.upgrade([offer])).not.toMatch(/sec-websocket-extensions/i);
      peer.frame(0x81, "plain");
      expect(await peer.seeFrame()).toMatchObject({ first: 0x81 });
      peer.frame(0xc1, compress("x"));
      expect((await peer.seeClose()).code).toBe(1002);
    }
  });

  test("a client fails when the server's answer does not fit its offer", async () => {
    for (const [extensions, compression] of [
      ["permessage-deflate", "disabled"],
      ["x-other", ALL],
      ["permessage-deflate; unknown", ALL],
      ["permessage-deflate; server_max_window_bits=12", { peerWindowBits: 11 }],
      ["permessage-deflate, permessage-deflate", ALL],
      ["permessage-deflate; client_max_window_bits", ALL],
    ] as const) {
      const server = await rig.rawServer((peer) => {
        peer.acceptUpgrade(undefined, [`Sec-WebSocket-Extensions: ${extensions}`]).catch(() => undefined);
      });
      const failing = rig.connect(server, { websocket: { compression } });
      await expect(failing).rejects.toMatchObject({ code: "ERR_HANDSHAKE_FAILED" });
    }
  });

  test("takeover is not disturbed by messages that are not compressed", async () => {
    const server = await rig.serve({
      websocket: { compression: { mode: "dedicated", thresholdBytes: 50 }, ...echo },
    });
    const client = await rig.connect(server, {
      websocket: { compression: { mode: "dedicated", thresholdBytes: 50 } },
    });
    const messages = client[Symbol.asyncIterator]();
    for (let index = 0; index < 300; index++) {
      const text = index % 2 === 0 ? quote(index) : "x".repeat(index % 60);
      client.send(text);
      expect((await messages.next()).value?.text()).toBe(text);
    }
  });

  test("a bomb of 1:1000 fails at the limit with 1009, and other connections do not notice", async () => {
    const bomb = compress(new Uint8Array(64 * MIB));
    for (const whole of [true, false]) {
      const { peer, journal } = await attack({ maxMessageBytes: 64 * KIB });
      if (whole) peer.frame(0xc2, bomb);
      else
        for (let at = 0; at < bomb.length; at += 1_000) {
          const first = at === 0 ? 0x42 : at + 1_000 >= bomb.length ? 0x80 : 0x00;
          peer.frame(first, bomb.subarray(at, at + 1_000));
        }
      expect((await peer.seeClose()).code).toBe(1009);
      peer.reset();
      expect((await journal.see("close")).code).toBe(1009);
      expect(journal.codes).toEqual(["ERR_MESSAGE_TOO_LARGE"]);
    }
  });

  test("corrupt bytes fail with 1007 and ERR_INVALID_DEFLATE, bad UTF-8 inside with ERR_INVALID_UTF8", async () => {
    for (const [first, payload, code] of [
      [0xc1, Uint8Array.of(0xff, 0xff, 0xff), "ERR_INVALID_DEFLATE"],
      [0xc2, compress(quote(1)).map((byte) => byte ^ 0x55), "ERR_INVALID_DEFLATE"],
      [0xc1, compress(Uint8Array.of(0xc3, 0x28)), "ERR_INVALID_UTF8"],
    ] as const) {
      for (const text of ["string", "bytes"]) {
        const { peer, journal } = await attack({ text });
        peer.frame(first, payload);
        expect((await peer.seeClose()).code).toBe(1007);
        peer.reset();
        await journal.see("close");
        expect([journal.codes, journal.messages]).toEqual([[code], []]);
        const { error } = journal.of("error")[0];
        expect([error.isRetryable, error.shouldReconnect, error.closeCode]).toEqual([false, true, 1007]);
      }
    }
  });

  test("RSV1 on continuation and control frames, RSV2 and RSV3 are 1002", async () => {
    for (const frames of [[0xc8], [0xc9], [0xca], [0xe1], [0xd1], [0x42, 0xc0], [0x02, 0x40], [0x02, 0xc0]]) {
      const { peer, journal } = await attack();
      for (const first of frames) peer.frame(first, compress("ab"));
      expect((await peer.seeClose()).code).toBe(1002);
      expect((await journal.see("error")).error.code).toBe("ERR_PROTOCOL");
    }
  });

  test("a peer that is gone in the middle of a compressed message is an ordinary break", async () => {
    for (const end of ["end", "reset"] as const) {
      const { peer, journal } = await attack();
      const payload = compress(quote(1).repeat(100));
      peer.frame(0xc1, payload);
      peer.frame(0x41, payload.subarray(0, 40));
      await journal.see("message");
      peer[end]();
      expect((await journal.see("close")).code).toBe(1006);
    }
  });

  test("a final block (BFINAL) is accepted, and what follows too", async () => {
    const { peer, journal } = await attack();
    const final = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    for (let count = 0; count < 3; count++) peer.frame(0xc1, final);
    peer.frame(0xc1, compress("after"));
    await journal.see("message", 4);
    expect(journal.messages).toEqual(["Hello", "Hello", "Hello", "after"]);
  });

  for (const delivery of ["queue", "batch", "message"] as const) {
    test(`one read that becomes 40 MiB is taken as fast as the program takes it: ${delivery}`, async () => {
      const COUNT = 40;
      const payload = compress(new Uint8Array(MIB));
      const wire = concat(
        ...Array.from({ length: COUNT }, () => frame(0xc2, payload, { key: [1, 2, 3, 4] })),
      );
      expect(wire.length).toBeLessThan(MIB);
      let restored = 0;
      let seen = 0;
      let most = 0;
      let socket: Socket | undefined;
      watchInflaters(rig, () => {
        restored++;
        most = Math.max(most, restored - seen);
      });
      const count = (bytes: Uint8Array): void => {
        if (bytes.length === MIB) seen++;
      };
      const server = await rig.serve({
        websocket: {
          compression: ALL,
          // The raw peer leaves its end open.
          closeTimeoutMs: 300,
          maxUnreadBytes: 4 * MIB,
          zeroCopy: true,
          ...(delivery === "message"
            ? {
                message(ws, data) {
                  count(data as Uint8Array);
                  // Paused again and again: what is not taken must not be restored either.
                  if (seen % 10 !== 0) return;
                  ws.pause();
                  setTimeout(() => ws.resume(), 5);
                },
              }
            : {}),
          ...(delivery === "batch"
            ? {
                batch(_ws, messages) {
                  for (const message of messages) count(message.bytes());
                },
              }
            : {}),
          open(ws) {
            socket = ws;
            ws.pause();
          },
        },
      });
      const peer = await rig.raw(server);
      await peer.upgrade(OFFER);
      peer.write(wire);
      peer.frame(0x88, [0x03, 0xe8]);
      await pause(200);
      socket?.resume();
      if (delivery === "queue" && socket !== undefined) {
        for await (const message of socket) {
          count(message.bytes());
          if (seen % 10 === 0) await pause(5);
        }
      }
      await expect.poll(() => seen, { timeout: 30_000 }).toBe(COUNT);
      expect(await socket?.closed).toMatchObject({ code: 1000, wasClean: true });
      // What is held is what may be held, and a message or two under way.
      expect(restored).toBe(COUNT);
      expect(most).toBeLessThanOrEqual(6);
    });
  }

  test("a program that closes, terminates or breaks while a backlog waits comes to an end", async () => {
    const payload = compress(new Uint8Array(MIB));
    const wire = concat(...Array.from({ length: 50 }, () => frame(0xc2, payload, { key: [1, 2, 3, 4] })));
    for (const way of ["close", "terminate", "peer ends", "peer resets"]) {
      const ends: number[] = [];
      let socket: Socket | undefined;
      const server = await rig.serve({
        websocket: {
          compression: ALL,
          closeTimeoutMs: 300,
          open(ws) {
            socket = ws;
          },
          close: (_ws, code) => void ends.push(code),
        },
      });
      const peer = await rig.raw(server);
      await peer.upgrade(OFFER);
      peer.write(wire);
      await pause(50);
      if (way === "close") socket?.close(3000);
      if (way === "terminate") socket?.terminate();
      if (way === "peer ends") peer.end();
      if (way === "peer resets") peer.reset();
      let seen = 0;
      if (way.startsWith("peer") && socket !== undefined) {
        const all = async (it: AsyncIterable<unknown>): Promise<void> => {
          for await (const _ of it) seen++;
        };
        const code = way === "peer ends" ? "ERR_CONNECTION_CLOSED" : "ERR_CONNECTION_RESET";
        await expect(all(socket)).rejects.toMatchObject({ code });
        if (way === "peer ends") expect(seen).toBe(50);
      }
      await socket?.closed;
      expect(ends).toEqual([1006]);
    }
  });
});

onEachTransport("compression with many connections", (rig) => {
  test("1,000 connections with the shared mode each get their own answers", async () => {
    const server = await rig.serve<{ path: string }>({
      fetch(request, it) {
        it.upgrade(request, { data: { path: new URL(request.url).pathname } });
        return undefined;
      },
      websocket: {
        compression: { mode: "shared", thresholdBytes: 0 },
        message: (ws, data) => void ws.send(`${ws.data.path} ${data} ${ws.data.path}`),
      },
    });
    let answers = 0;
    let wrong = 0;
    let done: () => void = () => undefined;
    const all = new Promise<void>((resolve) => {
      done = resolve;
    });
    const clients = await Promise.all(
      Array.from({ length: 1_000 }, (_, index) =>
        rig.connect(`${server.url}${index}`, {
          websocket: {
            compression: { mode: "shared", thresholdBytes: 0 },
            message(_ws, data) {
              if (data !== `/${index} ${quote(index)} /${index}`) wrong++;
              if (++answers === 5_000) done();
            },
          },
        }),
      ),
    );
    for (let round = 0; round < 5; round++)
      for (const [index, client] of clients.entries()) client.send(quote(index));
    await all;
    expect(wrong).toBe(0);
    for (const client of clients) client.terminate();
  });

  test("2,000 dedicated connections, one after another and ended in every way, leave no memory behind", async () => {
    const server = await rig.serve({ websocket: { compression: ALL, ...echo } });
    const cycle = async (index: number): Promise<void> => {
      const client = await rig.connect(server, { websocket: { compression: ALL } });
      if (index % 4 !== 3) {
        client.send(quote(index));
        expect((await client[Symbol.asyncIterator]().next()).value?.text()).toBe(quote(index));
      }
      if (index % 4 === 0) client.terminate();
      else client.close();
      await client.closed;
    };
    const run = async (count: number): Promise<void> => {
      for (let index = 0; index < count; index += 20) {
        await Promise.all(Array.from({ length: 20 }, (_, offset) => cycle(index + offset)));
      }
    };
    await run(500);
    const before = residentMib();
    await run(2_000);
    // Windows alone of as many that were forgotten: 1.2 GiB.
    expect(residentMib() - before).toBeLessThan(96);
  });
});

/** All ways that ws's options and ours can meet. */
const COMBINATIONS: readonly { ours: CompressionOptions; theirs: Record<string, unknown> }[] = (
  ["shared", "dedicated"] as const
).flatMap((mode) =>
  [8, 10, 15].flatMap((windowBits) =>
    [
      { threshold: 0 },
      { threshold: 100, serverNoContextTakeover: true },
      { threshold: 0, clientNoContextTakeover: true },
      { threshold: 0, serverNoContextTakeover: true, clientNoContextTakeover: true },
      { threshold: 10, serverMaxWindowBits: 9, clientMaxWindowBits: 10 },
      { threshold: 0, clientMaxWindowBits: 15 },
    ].map((theirs) => ({
      ours: { mode, windowBits, peerWindowBits: windowBits, thresholdBytes: 10 },
      theirs,
    })),
  ),
);

onEachTransport("compression with the npm package ws", (rig) => {
  let peer: Running;
  let url: string;
  beforeAll(async () => {
    peer = startPeer("ws_deflate.mjs", ["server"]);
    url = `ws://127.0.0.1:${(await peer.see(/(\d+)\n/))[1]}`;
  });
  afterAll(() => peer.kill());

  test("our client, ws as the server: every combination of parameters", async () => {
    const SIZES = [0, 1, 9, 10, 11, 99, 100, 101, 1_000, 70_000, 50, 300_000];
    let compressed = 0;
    for (const { ours, theirs } of COMBINATIONS) {
      const path = encodeURIComponent(JSON.stringify(theirs));
      const client = await rig.connect(`${url}/${path}`, { websocket: { compression: ours } });
      if (client.extensions !== "") compressed++;
      expect([ours, theirs, await echoes(client, SIZES)]).toEqual([ours, theirs, 0]);
      client.close();
    }
    expect(compressed).toBeGreaterThan(COMBINATIONS.length / 2);
  });

  test("our server, ws as the client: every combination of parameters", async () => {
    const jobs: { url: string; options: unknown }[] = [];
    const agreed: { extensions: string }[] = [];
    for (const { ours, theirs } of COMBINATIONS) {
      const server = await rig.serve({
        websocket: {
          compression: ours,
          ...echo,
          open: (ws) => void agreed.push({ extensions: ws.extensions }),
        },
      });
      jobs.push({ url: server.url, options: theirs });
    }
    const { output } = await startPeer("ws_deflate.mjs", ["client", JSON.stringify(jobs)]).end(50_000);
    const seen = JSON.parse(output) as { sent: number }[];
    expect(seen.length).toBe(COMBINATIONS.length);
    for (const [index, each] of seen.entries()) {
      expect(each).toMatchObject({ wrong: 0, echoes: each.sent, code: 1000 });
      expect(agreed[index].extensions).toMatch(/^permessage-deflate/);
    }
  });
});

/** As much of the standard class as is used, whoever made it. */
interface StandardWebSocket extends EventTarget {
  readonly extensions: string;
  send(data: string): void;
  close(): void;
}
const BuiltIn = (globalThis as { WebSocket?: new (url: string) => StandardWebSocket }).WebSocket;

interface BunServer {
  readonly port: number;
  stop(closes: boolean): void;
}
/** As much of Bun as is used. */
interface BunNamespace {
  serve(options: {
    port: number;
    fetch(request: Request, server: { upgrade(request: Request): boolean }): Response | undefined;
    websocket: object;
  }): BunServer;
}

onEachTransport("compression with this runtime's own WebSocket", (rig) => {
  test.skipIf(BuiltIn === undefined)("as a client of our server, with whatever it offers", async () => {
    for (const mode of ["shared", "dedicated"] as const) {
      const server = await rig.serve({ websocket: { compression: { mode, thresholdBytes: 10 }, ...echo } });
      const ws = new (BuiltIn as NonNullable<typeof BuiltIn>)(server.url);
      await new Promise((resolve, reject) => {
        ws.addEventListener("open", resolve);
        ws.addEventListener("error", reject);
      });
      // Bun offers compression, Deno does not.
      if (runtime.name === "bun") expect(ws.extensions).toMatch(/^permessage-deflate/);
      let seen = 0;
      let wrong = 0;
      const done = new Promise((resolve) => {
        ws.addEventListener("message", (event) => {
          const index = seen++;
          if ((event as MessageEvent).data !== quote(index).repeat(index % 40)) wrong++;
          if (seen === 1_000) resolve(undefined);
        });
      });
      for (let index = 0; index < 1_000; index++) ws.send(quote(index).repeat(index % 40));
      await done;
      expect(wrong).toBe(0);
      ws.close();
    }
  });

  const { Bun } = globalThis as unknown as { Bun?: BunNamespace };
  describe.skipIf(Bun === undefined)("Bun.serve", () => {
    const WAYS = [
      true,
      { compress: "shared", decompress: "shared" },
      { compress: "dedicated", decompress: "dedicated" },
      { compress: "4KB", decompress: "8KB" },
    ];
    for (const perMessageDeflate of WAYS) {
      test(`${JSON.stringify(perMessageDeflate)} as the server of our client`, async () => {
        const server = (Bun as BunNamespace).serve({
          port: 0,
          fetch: (request, it) => (it.upgrade(request) ? undefined : new Response("?")),
          websocket: {
            perMessageDeflate,
            message: (ws: { send(data: unknown, compress: boolean): void }, data: unknown) =>
              ws.send(data, true),
          },
        });
        for (const mode of ["shared", "dedicated"] as const) {
          for (const windowBits of [9, 15]) {
            const compression = { mode, thresholdBytes: 0, windowBits, peerWindowBits: windowBits };
            const client = await rig.connect(`ws://127.0.0.1:${server.port}/`, {
              websocket: { compression },
            });
            if (windowBits === 15) expect(client.extensions).toMatch(/^permessage-deflate/);
            expect(await echoes(client, [0, 1, 100, 1_000, 70_000, 10, 300_000])).toBe(0);
            client.close();
          }
        }
        server.stop(true);
      });
    }
  });
});
