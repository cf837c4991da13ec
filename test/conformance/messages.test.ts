/** What is sent arrives: every kind and size of message, both ways, whole and in fragments. */

import { expect, test } from "vitest";
import { type MessageBatch, type Socket, WebSocket } from "../../src/mod.ts";
import { concat, frame, KEY } from "../protocol/frames.ts";
import { until } from "../transport/recorder.ts";
import { Journal } from "./journal.ts";
import { onEachTransport } from "./rig.ts";

const MIB = 1 << 20;
const LENGTHS = [0, 1, 2, 124, 125, 126, 127, 128, 1_000, 65_535, 65_536, 65_537, 300_000];

/** A pattern that shows shifts, losses and swaps of blocks. */
function pattern(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let index = 0; index < size; index++) bytes[index] = index ^ (index >>> 8) ^ (index >>> 16);
  return bytes;
}

/** Equality of large arrays, without a report of millions of lines. */
function isSame(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index++) if (left[index] !== right[index]) return false;
  return true;
}

const echo = { message: (ws: Socket, data: string | Uint8Array) => void ws.send(data) };

onEachTransport("messages", (rig) => {
  test("binary messages of every length class come back as they went", async () => {
    const journal = new Journal();
    const { client } = await rig.pair(echo, journal.handlers());
    for (const length of LENGTHS) client.send(pattern(length));
    await journal.see("message", LENGTHS.length);
    journal.messages.forEach((data, index) => {
      expect(data).toBeInstanceOf(Uint8Array);
      expect(isSame(data as Uint8Array, pattern(LENGTHS[index]))).toBe(true);
    });
  });

  test("text of every length class and script comes back as it went", async () => {
    const journal = new Journal();
    const { client } = await rig.pair(echo, journal.handlers());
    const texts = LENGTHS.flatMap((length) => [
      "x".repeat(length),
      "é".repeat(length >> 1),
      "☃".repeat(length / 3),
      "𝄞".repeat(length >> 2),
    ]);
    texts.push("\u0000", "\ufeffBOM stays", "mixed ascii, é, ☃ and 𝄞 😀");
    for (const text of texts) client.send(text);
    await journal.see("message", texts.length);
    expect(journal.messages).toEqual(texts);
    expect(journal.of("message").every((entry) => entry.isText)).toBe(true);
  });

  test("ArrayBuffers, views of every kind and parts of buffers are sent as exactly their bytes", async () => {
    const journal = new Journal();
    const { client } = await rig.pair(echo, journal.handlers());
    const buffer = pattern(64).buffer as ArrayBuffer;
    client.send(buffer);
    client.send(new Uint16Array(buffer, 2, 3));
    client.send(new DataView(buffer, 5, 7));
    client.send(new Uint8Array(buffer).subarray(60));
    await journal.see("message", 4);
    const whole = pattern(64);
    expect(journal.messages).toEqual([whole, whole.slice(2, 8), whole.slice(5, 12), whole.slice(60)]);
  });

  test("what cannot be sent is refused at once: numbers, null, arrays, objects, shared memory", async () => {
    const { client } = await rig.pair();
    for (const wrong of [1, null, undefined, [1, 2], {}, true, Symbol("x")]) {
      expect(() => client.send(wrong as unknown as string)).toThrow(TypeError);
      if (wrong !== undefined) expect(() => client.ping(wrong as unknown as string)).toThrow(TypeError);
    }
    expect(client.state).toBe("open");
  });

  test("bytes belong to the caller again as soon as send returns", async () => {
    const journal = new Journal();
    const { client } = await rig.pair(echo, journal.handlers());
    for (const length of [10, 1_000, 200_000]) {
      const bytes = pattern(length);
      client.send(bytes);
      bytes.fill(0);
    }
    await journal.see("message", 3);
    expect(
      journal.messages.every((data) => isSame(data as Uint8Array, pattern((data as Uint8Array).length))),
    ).toBe(true);
  });

  test("a 16 MiB message goes both ways", async () => {
    const journal = new Journal();
    const { client } = await rig.pair({ ...echo, maxMessageBytes: 16 * MIB }, journal.handlers());
    const big = pattern(16 * MIB);
    client.send(big);
    await journal.until("it is back", () => journal.messages.length === 1, 25_000);
    expect(isSame(journal.messages[0] as Uint8Array, big)).toBe(true);
  });

  test("a 16 MiB text goes both ways", async () => {
    const journal = new Journal();
    const { client } = await rig.pair({ ...echo, maxMessageBytes: 16 * MIB }, journal.handlers());
    const big = "0123456789abcdé".repeat(MIB);
    client.send(big);
    await journal.until("it is back", () => journal.messages.length === 1, 25_000);
    expect(journal.messages[0] === big).toBe(true);
  });

  test("a message over maxMessageBytes closes with 1009, in both roles", async () => {
    const server = new Journal();
    const client = new Journal();
    const pair = await rig.pair({ ...server.handlers(), maxMessageBytes: 1_000 }, client.handlers());
    pair.client.send(new Uint8Array(1_000));
    pair.client.send(new Uint8Array(1_001));
    expect(await client.see("close")).toMatchObject({ code: 1009 });
    expect(server.messages.length).toBe(1);
    expect(server.codes).toEqual(["ERR_MESSAGE_TOO_LARGE"]);
    expect(await server.see("close")).toMatchObject({ code: 1009, wasClean: false });

    const far = new Journal();
    const near = new Journal();
    const other = await rig.pair(far.handlers(), { ...near.handlers(), maxMessageBytes: 10 });
    other.accepted.send("12345678901");
    expect(await far.see("close")).toMatchObject({ code: 1009 });
    expect(near.codes).toEqual(["ERR_MESSAGE_TOO_LARGE"]);
  });

  test("messages go out in fragments of fragmentBytes, with control frames between them, in both roles", async () => {
    const server = new Journal();
    const client = new Journal();
    const pair = await rig.pair(
      { ...server.handlers(echo), fragmentBytes: 1_000, maxFragments: 20_000 },
      { ...client.handlers(), fragmentBytes: 7 },
    );
    const texts = ["", "1234567", "12345678", "é☃𝄞".repeat(1_000)];
    for (const text of texts) {
      pair.client.send(text);
      pair.client.ping("between");
    }
    pair.client.send(pattern(70_000));
    await client.see("message", 5);
    expect(client.messages.slice(0, 4)).toEqual(texts);
    expect(isSame(client.messages[4] as Uint8Array, pattern(70_000))).toBe(true);
    expect(server.codes).toEqual([]);
    await client.see("pong", 4);
  });

  test("fragments of any size are put together, with control frames between them", async () => {
    const journal = new Journal();
    const server = await rig.serve({ websocket: journal.handlers() });
    const peer = await rig.raw(server);
    await peer.upgrade();
    const text = new TextEncoder().encode("fragmented: é☃𝄞");
    peer.frame(0x01, text.subarray(0, 0));
    for (let at = 0; at < text.length; at++) {
      peer.frame(0x00, text.subarray(at, at + 1));
      if (at % 5 === 0) peer.frame(0x89, `ping ${at}`);
    }
    peer.frame(0x80);
    peer.frame(0x82, pattern(300));
    await journal.see("message", 2);
    expect(journal.messages[0]).toBe("fragmented: é☃𝄞");
    expect(isSame(journal.messages[1] as Uint8Array, pattern(300))).toBe(true);
    expect(journal.of("ping").map((entry) => entry.payload)).toEqual([
      "ping 0",
      "ping 5",
      "ping 10",
      "ping 15",
      "ping 20",
    ]);
    for (const { payload } of journal.of("ping")) {
      const pong = await peer.seeFrame();
      expect(pong.first).toBe(0x8a);
      expect(new TextDecoder().decode(pong.payload)).toBe(payload);
    }
  });

  test("more fragments than maxFragments close with 1009", async () => {
    const journal = new Journal();
    const server = await rig.serve({ websocket: { ...journal.handlers(), maxFragments: 3 } });
    const peer = await rig.raw(server);
    await peer.upgrade();
    for (const first of [0x01, 0x00, 0x00, 0x00]) peer.frame(first, "x");
    expect(await peer.seeClose()).toMatchObject({ code: 1009 });
    await journal.see("error");
    expect(journal.codes).toEqual(["ERR_TOO_MANY_FRAGMENTS"]);
  });

  test("a frame split at every byte arrives whole", async () => {
    const journal = new Journal();
    const server = await rig.serve({ websocket: journal.handlers() });
    const peer = await rig.raw(server);
    await peer.upgrade();
    const bytes = concat(frame(0x81, "split me", { key: KEY }), frame(0x82, pattern(130), { key: KEY }));
    for (let at = 0; at < bytes.length; at++) {
      peer.write(bytes.subarray(at, at + 1));
      // One segment each: the next tick lets it go by itself.
      if (at < 24) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await journal.see("message", 2);
    expect(journal.messages).toEqual(["split me", pattern(130)]);
  });

  test('sendText and sendJson send text; text: "bytes" gives text as checked bytes', async () => {
    const journal = new Journal();
    const { client } = await rig.pair({ ...journal.handlers(), text: "bytes" });
    client.sendText(new TextEncoder().encode("été"));
    client.sendJson({ a: [1, "é"] });
    client.send("plain");
    client.send(Uint8Array.of(1));
    expect(() => client.sendJson(undefined)).toThrow(TypeError);
    await journal.see("message", 4);
    const seen = journal.of("message");
    expect(seen.map((entry) => entry.isText)).toEqual([true, true, true, false]);
    expect(seen.slice(0, 3).map((entry) => new TextDecoder().decode(entry.data as Uint8Array))).toEqual([
      "été",
      '{"a":[1,"é"]}',
      "plain",
    ]);
    client.sendText(Uint8Array.of(0xff));
    await journal.see("error");
    expect(journal.codes).toEqual(["ERR_INVALID_UTF8"]);
  });

  test("without zeroCopy a message may be kept; with it, it is a view that lives while the handler runs", async () => {
    const kept: Uint8Array[] = [];
    const copies: Uint8Array[] = [];
    const keeping = new Journal();
    const { client } = await rig.pair(
      keeping.handlers({ message: (_, data) => void kept.push(data as Uint8Array) }),
    );
    for (let index = 0; index < 200; index++) client.send(new Uint8Array(50).fill(index));
    await keeping.see("message", 200);
    expect(
      kept.every((data, index) => data.length === 50 && data.every((byte) => byte === (index & 0xff))),
    ).toBe(true);

    const viewing = new Journal();
    const other = await rig.pair({
      ...viewing.handlers({ message: (_, data) => void copies.push((data as Uint8Array).slice()) }),
      zeroCopy: true,
    });
    for (let index = 0; index < 200; index++) other.client.send(new Uint8Array(50).fill(index));
    await viewing.see("message", 200);
    expect(
      copies.every((data, index) => data.length === 50 && data.every((byte) => byte === (index & 0xff))),
    ).toBe(true);
  });

  for (const zeroCopy of [false, true]) {
    test(`batches bring what one read brought, in order, whole and cut off${zeroCopy ? ", as views" : ""}`, async () => {
      const texts: string[] = [];
      const sizes: number[] = [];
      const times: number[] = [];
      const kept: Uint8Array[] = [];
      let done: () => void = () => undefined;
      const all = new Promise<void>((resolve) => {
        done = resolve;
      });
      const { client } = await rig.pair({
        zeroCopy,
        batch(_ws: Socket, messages: MessageBatch) {
          sizes.push(messages.count);
          times.push(messages.receivedNs);
          for (const message of messages) {
            texts.push(message.isText ? message.text() : `${message.sizeBytes} bytes`);
            if (!message.isText && !zeroCopy) kept.push(message.bytes());
            if (message.isText && message.text() === "last") done();
          }
        },
      });
      const expected: string[] = [];
      for (let index = 0; index < 500; index++) {
        client.send(`message ${index}`);
        expected.push(`message ${index}`);
      }
      client.send(pattern(200_000));
      client.send("last");
      await all;
      expect(texts).toEqual([...expected, "200000 bytes", "last"]);
      expect(sizes.length).toBeLessThan(200);
      expect(times.every((time, index) => time > 0 && (index === 0 || time >= times[index - 1]))).toBe(true);
      expect(kept.every((bytes) => isSame(bytes, pattern(200_000)))).toBe(true);
    });
  }

  test("short texts of a batch are what was sent, whatever their neighbours, and stay so when they are kept", async () => {
    const kinds = [
      "tick 1",
      "",
      "\u0000",
      "\u007f",
      "\u0080",
      "é".repeat(31),
      "z".repeat(64),
      "z".repeat(65),
      "😀",
      "漢",
    ];
    const sent = Array.from({ length: 3_000 }, (_, index) => `${index}${kinds[index % kinds.length]}`);
    const kept: string[] = [];
    const { client } = await rig.pair(
      {
        batch(ws, messages) {
          for (const message of messages) ws.send(message.text());
        },
      },
      {
        batch(_ws, messages) {
          for (const message of messages) kept.push(message.text());
        },
      },
    );
    for (const text of sent) client.send(text);
    await until("all came back", () => kept.length === sent.length);
    expect(kept.every((text, index) => text === sent[index])).toBe(true);
  });

  test("a message of a batch that is sent on stays what it was, whatever the program does with its bytes afterwards", async () => {
    const sizes = [0, 1, 15, 16, 17, 64, 125, 126, 300, 4_096, 65_535, 65_536];
    const seen: boolean[] = [];
    const echoes: boolean[] = [];
    const { client } = await rig.pair(
      {
        zeroCopy: true,
        batch(ws, messages) {
          for (const message of messages) {
            ws.send(message);
            const bytes = message.bytes();
            seen.push(isSame(bytes, pattern(message.sizeBytes)));
            bytes.fill(0);
            if (message.sizeBytes % 2 === 1) ws.send(message);
          }
        },
      },
      {
        message(_ws, data) {
          const isPattern = isSame(data as Uint8Array, pattern(data.length));
          echoes.push(isPattern || (data as Uint8Array).every((byte) => byte === 0));
          if (isPattern) kept.push(data.length);
        },
      },
    );
    const kept: number[] = [];
    const rounds = 40;
    for (let round = 0; round < rounds; round++) for (const size of sizes) client.send(pattern(size));
    const odd = sizes.filter((size) => size % 2 === 1).length;
    await until("all came back", () => echoes.length === rounds * (sizes.length + odd));
    expect(echoes.every(Boolean)).toBe(true);
    expect(seen.every(Boolean)).toBe(true);
    expect(kept.filter((size) => size > 1).length).toBe(rounds * sizes.filter((size) => size > 1).length);
  });

  test("long messages of several sockets share memory only where nobody keeps them, and are what was sent", async () => {
    type Got = (ws: Socket, data: string | Uint8Array) => void;
    const batch = (got: Got, options: object): object => ({
      ...options,
      batch(ws: Socket, messages: MessageBatch) {
        for (const message of messages) got(ws, message.isText ? message.text() : message.bytes());
      },
    });
    const copied =
      (got: Got): Got =>
      (ws, data) =>
        got(ws, typeof data === "string" ? data : data.slice());
    const paused =
      (got: Got): Got =>
      (ws, data) => {
        got(ws, data);
        ws.pause();
        setTimeout(() => ws.resume(), 1);
      };
    const ways: Record<string, (got: Got) => object> = {
      batch: (got) => batch(got, {}),
      "batch as views": (got) => batch(copied(got), { zeroCopy: true }),
      "batch, paused": (got) => batch(paused(got), {}),
      "batch as views, paused": (got) => batch(paused(copied(got)), { zeroCopy: true }),
      message: (got) => ({ message: got }),
      "message as views": (got) => ({ message: copied(got), zeroCopy: true }),
      "message as bytes": (got) => ({ message: got, text: "bytes" }),
      queue: (got) => ({
        open(ws: Socket) {
          void (async () => {
            for await (const { value } of ws) got(ws, value);
          })();
        },
      }),
    };
    for (const [way, options] of Object.entries(ways)) {
      const kept: (string | Uint8Array)[] = [];
      const server = await rig.serve({ websocket: options((_ws, data) => void kept.push(data)) });
      const clients = [await rig.connect(server), await rig.connect(server), await rig.connect(server)];
      const sent: string[] = [];
      for (let round = 0; round < 6; round++) {
        for (const client of clients) {
          const letter = String.fromCharCode(65 + sent.length);
          const text = letter.repeat(50_000 + (((sent.length + 1) * 7_919_000) % 400_000));
          client.send(round % 3 === 2 ? text : new TextEncoder().encode(text));
          sent.push(text);
        }
      }
      await until(`${way}: all came`, () => kept.length === sent.length);
      const texts = kept.map((data) => (typeof data === "string" ? data : new TextDecoder().decode(data)));
      expect(
        texts.sort().every((text, index) => text === sent[index]),
        way,
      ).toBe(true);
      for (const client of clients) {
        client.close();
        await client.closed;
      }
    }
  });

  test("a flood of tiny messages comes in batches of bounded size, and none after terminate", async () => {
    const counts: number[] = [];
    let isEnding = false;
    const journal = new Journal();
    const { message: _, ...handlers } = journal.handlers({});
    const server = await rig.serve({
      websocket: {
        ...handlers,
        batch(ws, messages) {
          counts.push(messages.count);
          if (isEnding) ws.terminate();
          else ws.send(`${messages.count}`);
        },
      },
    });
    const flood = concat(...Array.from({ length: 20_000 }, () => frame(0x82, "", { key: KEY })));
    const peer = await rig.raw(server);
    await peer.upgrade();
    peer.write(flood);
    await until("all have come", () => counts.reduce((sum, count) => sum + count, 0) === 20_000);
    expect(Math.max(...counts)).toBeLessThanOrEqual(4_096);
    counts.length = 0;
    isEnding = true;
    peer.write(flood);
    await until("it is gone", () => server.connections === 0);
    expect(counts.length).toBe(1);
  });

  test("a batch handler that terminates may still look at the message it stands at, which is the last", async () => {
    const seen: string[] = [];
    const journal = new Journal();
    const { message: _, ...handlers } = journal.handlers({});
    const server = await rig.serve({
      websocket: {
        ...handlers,
        batch(ws, messages) {
          for (const message of messages) {
            if (seen.length === 1) ws.terminate();
            seen.push(`${message.text()} ${ws.send(message)}`);
          }
        },
      },
    });
    const peer = await rig.raw(server);
    await peer.upgrade();
    peer.write(concat(...["one", "two", "three"].map((text) => frame(0x81, text, { key: KEY }))));
    await until("it is gone", () => server.connections === 0);
    expect(seen).toEqual(["one sent", "two dropped"]);
    expect(journal.kinds).not.toContain("error");
  });

  test("messages before a broken one reach the batch handler, then the connection fails with the code for it", async () => {
    const broken: [number, number, string | number[]][] = [
      [1002, 0x83, "bad"],
      ...[[0x80], [0x61, 0xff, 0x62], [0xed, 0xa0, 0x80], [0xc3]].map((text): [number, number, number[]] => [
        1007,
        0x81,
        text,
      ]),
    ];
    for (const [code, first, payload] of broken) {
      const order: string[] = [];
      const journal = new Journal();
      const { message: _, ...handlers } = journal.handlers({ error: () => void order.push("error") });
      const server = await rig.serve({
        websocket: {
          ...handlers,
          batch(_ws, messages) {
            for (const message of messages) order.push(message.text());
          },
        },
      });
      const peer = await rig.raw(server);
      await peer.upgrade();
      const [good, late] = ["good", "late"].map((text) => frame(0x81, text, { key: KEY }));
      peer.write(concat(good, good, frame(first, payload, { key: KEY }), late));
      expect(await peer.seeClose()).toMatchObject({ code });
      expect(order).toEqual(["good", "good", "error"]);
    }
  });

  test("for await gives every message in order and ends with a clean close", async () => {
    const { client } = await rig.pair({
      open(ws) {
        for (let index = 0; index < 1_000; index++) ws.send(`${index}`);
        ws.close(1000, "done");
      },
    });
    const seen: string[] = [];
    for await (const message of client) seen.push(message.text());
    expect(seen).toEqual(Array.from({ length: 1_000 }, (_, index) => `${index}`));
    expect(await client.closed).toEqual({ code: 1000, reason: "done", wasClean: true });
  });

  test("for await throws what broke the connection", async () => {
    const { client, accepted } = await rig.pair();
    accepted.send("before");
    const iterator = client[Symbol.asyncIterator]();
    expect((await iterator.next()).value?.text()).toBe("before");
    accepted.terminate();
    await expect(iterator.next()).rejects.toMatchObject({
      name: "RingwireError",
      code: "ERR_CONNECTION_RESET",
    });
  });

  test("iterating is refused where a handler takes the messages", async () => {
    const { client } = await rig.pair(echo, echo);
    await expect(client[Symbol.asyncIterator]().next()).rejects.toThrow(TypeError);
  });

  test("cork sends at once what was sent inside, and gives back what its function gives", async () => {
    const journal = new Journal();
    const { client } = await rig.pair(journal.handlers());
    const result = client.cork((ws) => {
      ws.send("one");
      ws.send("two");
      return 7;
    });
    expect(result).toBe(7);
    expect(client.bufferedAmount).toBe(0);
    expect(() =>
      client.cork(() => {
        throw new Error("from inside");
      }),
    ).toThrow("from inside");
    await journal.see("message", 2);
  });

  test("data, url, protocol and addresses are what the handshake said", async () => {
    let seen: Socket<{ user: string }> | undefined;
    const server = await rig.serve<{ user: string }>({
      protocols: ["v2", "v1"],
      fetch(request, it) {
        if (it.upgrade(request, { data: { user: new URL(request.url).pathname.slice(1) } })) return;
        return new Response(null, { status: 404 });
      },
      websocket: {
        open(ws) {
          seen = ws;
        },
      },
    });
    const client = await rig.connect(`${server.url}ada`, { protocols: ["v1", "v2"], data: 5 });
    expect(client).toMatchObject({ data: 5, protocol: "v1", url: `${server.url}ada`, state: "open" });
    expect(seen?.data).toEqual({ user: "ada" });
    expect(seen?.protocol).toBe("v1");
    expect(client.remoteAddress).toEqual(server.address);
    expect(seen?.remoteAddress).toEqual(client.localAddress);
    expect(server.connections).toBe(1);
    expect([...server.sockets()]).toEqual([seen]);
  });

  test("the WHATWG class talks to the same server", async () => {
    const server = await rig.serve({ websocket: echo });
    const ws = new WebSocket(server.url, { loop: rig.loop });
    ws.binaryType = "arraybuffer";
    const seen: unknown[] = [];
    await new Promise((resolve) => {
      ws.onopen = () => {
        ws.send("text");
        ws.send(Uint8Array.of(1, 2, 3));
      };
      ws.onmessage = (event) => {
        seen.push(event.data);
        if (seen.length === 2) ws.close(3001, "enough");
      };
      ws.onclose = (event) => {
        seen.push([event.code, event.reason, event.wasClean]);
        resolve(undefined);
      };
    });
    expect(seen).toEqual(["text", Uint8Array.of(1, 2, 3).buffer, [3001, "enough", true]]);
  });
});
