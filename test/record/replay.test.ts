/** What was recorded on real sockets happens again, the same each time. */

import { statSync } from "node:fs";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import {
  type ConnectStreamOptions,
  connect,
  connectStream,
  Loop,
  RingwireError,
  Service,
  type Socket,
  serve,
  type WebSocketHandlers,
} from "../../src/mod.ts";
import { Recorder, Recording, Replay, type ReplayOptions } from "../../src/record/mod.ts";
import { onEachTransport } from "../conformance/rig.ts";
import { until } from "../transport/recorder.ts";
import { scratchPath } from "./scratch.ts";

/** Everything a client's handlers are told, with the time they are told it at. */
function journal(): { lines: string[]; websocket: WebSocketHandlers<undefined> } {
  const lines: string[] = [];
  return {
    lines,
    websocket: {
      open: (ws) => void lines.push(`open ${ws.url}`),
      batch(_ws, messages) {
        for (const message of messages) {
          lines.push(`${messages.receivedNs} ${message.isText ? message.text() : message.bytes().join()}`);
        }
      },
      close: (_ws, code, reason, wasClean) => void lines.push(`close ${code} ${reason} ${wasClean}`),
      error: (_ws, error) => void lines.push(`error ${error.code}`),
    },
  };
}

async function replayed(path: string, url: string, options: ReplayOptions = {}): Promise<string[]> {
  const replay = new Replay(path, options);
  using loop = new Loop({ transport: replay });
  const { lines, websocket } = journal();
  const socket = await connect(url, { loop, websocket });
  await socket.closed;
  await replay.finished;
  return lines;
}

/** Connections that a file sees to their end. */
function closedIn(path: string): number {
  if (statSync(path).size === 0) return 0;
  using recording = new Recording(path);
  return [...recording].filter(({ kind }) => kind === "closed").length;
}

onEachTransport("replay", (rig) => {
  /** A feed of text, bytes, pings and one large message, recorded until the server closes it. */
  async function recorded(): Promise<{ path: string; url: string; lines: string[] }> {
    const path = scratchPath();
    const server = await rig.serve({
      websocket: {
        message(ws, data) {
          for (let index = 0; index < 50; index++) ws.send(`${data} ${index}`);
          ws.send(new Uint8Array([1, 2, 3]));
          ws.ping("there?");
          ws.send("x".repeat(300_000));
          setTimeout(() => ws.send("later"), 20);
          setTimeout(() => ws.close(4000, "enough"), 40);
        },
      },
    });
    const { lines, websocket } = journal();
    {
      await using recorder = new Recorder(path);
      const socket = await rig.connect(server, { record: recorder, websocket });
      socket.send("subscribe");
      await socket.closed;
    }
    return { path, url: server.url, lines };
  }

  test("a program sees the same messages at the same times, and the same end", async () => {
    const { path, url, lines } = await recorded();
    expect(lines.length).toBe(55);
    const again = await replayed(path, url);
    expect(again).toEqual(await replayed(path, url));
    // To the nanosecond what the program was told when it was recorded.
    expect(again).toEqual(lines);
  });

  test("original pace takes as long as it took, ten times the pace a tenth", async () => {
    const { path, url, lines } = await recorded();
    const tookMs = async (speed: number): Promise<number> => {
      const beganMs = performance.now();
      expect(await replayed(path, url, { speed })).toEqual(lines);
      return performance.now() - beganMs;
    };
    expect(await tookMs(1)).toBeGreaterThan(38);
    // The quickest of three: what is not ten times as fast takes 40 ms in each.
    const fastMs = Math.min(await tookMs(10), await tookMs(10), await tookMs(10));
    expect(fastMs).toBeLessThan(38);
  });

  test("a path records as well, over several connections, and for await replays them", async () => {
    const path = scratchPath();
    const server = await rig.serve({ websocket: { open: (ws) => void ws.send("news") } });
    const read = async (socket: Socket): Promise<string[]> => {
      const texts: string[] = [];
      for await (const message of socket) {
        texts.push(message.text());
        socket.close();
      }
      return texts;
    };
    for (let round = 0; round < 2; round++)
      expect(await read(await rig.connect(server, { record: path }))).toEqual(["news"]);
    await until("both connections are in the file", () => closedIn(path) === 2);
    const replay = new Replay(path);
    using loop = new Loop({ transport: replay });
    for (let round = 0; round < 2; round++)
      expect(await read(await connect(server.url, { loop }))).toEqual(["news"]);
    expect(await replay.finished).toMatchObject({ connections: 2, missed: 0, incomplete: 0, isOver: true });
    await expect(connect(server.url, { loop })).rejects.toMatchObject({ code: "ERR_RECORDING" });
  });

  test("a server is replayed: its clients come again", async () => {
    const path = scratchPath();
    const heard: string[] = [];
    const options = {
      port: 0,
      hostname: "127.0.0.1",
      websocket: {
        message(ws: Socket, data: string | Uint8Array): void {
          heard.push(String(data));
          ws.send(data);
        },
      },
    };
    const server = await serve({ ...options, loop: rig.loop, record: path });
    const client = await connect(server.url, { loop: rig.loop });
    client.send("one");
    client.send("two");
    for await (const message of client) if (message.text() === "two") client.close();
    await server.stop();
    await until("the connection is in the file", () => closedIn(path) === 1);
    expect(heard.splice(0)).toEqual(["one", "two"]);
    const replay = new Replay(path);
    using loop = new Loop({ transport: replay });
    const again = await serve({ ...options, loop });
    expect(await replay.finished).toMatchObject({ connections: 1, incomplete: 0 });
    expect(heard).toEqual(["one", "two"]);
    await again.stop();
  });

  test("streams are recorded and replayed too, over TCP and Unix sockets", async () => {
    const path = scratchPath();
    const unix = scratchPath("socket");
    const server = createServer((socket) => {
      socket.on("data", (bytes) => socket.end(`you said ${bytes}`));
    });
    await new Promise<void>((resolve) => server.listen(unix, resolve));
    rig.after(() => new Promise((resolve) => server.close(resolve)));
    const raw = await rig.rawServer((peer) => {
      peer.write("220 ready\r\n");
      peer.end();
    });
    const read = async (url: string, options: ConnectStreamOptions<undefined>): Promise<string> => {
      const stream = await connectStream(url, options);
      stream.write("hello");
      let text = "";
      for await (const bytes of stream) text += new TextDecoder().decode(bytes);
      stream.close();
      await stream.closed;
      return text;
    };
    const urls = [`tcp://127.0.0.1:${raw.port}`, `unix:${unix}`];
    const recorder = new Recorder(path);
    const live = [];
    for (const url of urls) live.push(await read(url, { loop: rig.loop, record: recorder }));
    expect(live).toEqual(["220 ready\r\n", "you said hello"]);
    await recorder.close();
    const replay = new Replay(path);
    using loop = new Loop({ transport: replay });
    const again = [];
    for (const url of urls) again.push(await read(url, { loop }));
    expect(again).toEqual(live);
    expect(await replay.finished).toMatchObject({ connections: 2, incomplete: 0 });
  });

  test("compressed connections are replayed with the options they had", async () => {
    const path = scratchPath();
    const server = await rig.serve({
      websocket: {
        compression: { thresholdBytes: 0 },
        open: (ws) => void [1, 2, 3].map((n) => ws.send(`news ${n}`.repeat(100))),
      },
    });
    const options = { websocket: { compression: "dedicated" as const } };
    await using recorder = new Recorder(path);
    const live = await rig.connect(server, { ...options, record: recorder });
    let count = 0;
    for await (const message of live) if (message.text() !== "" && ++count === 3) live.close();
    await recorder.flush();
    using loop = new Loop({ transport: new Replay(path) });
    const texts: string[] = [];
    for await (const message of await connect(server.url, { loop, ...options })) texts.push(message.text());
    expect(texts).toEqual([1, 2, 3].map((n) => `news ${n}`.repeat(100)));
  });
});

test("a program may pause: nothing comes meanwhile, and nothing is lost", async () => {
  const path = scratchPath();
  const server = await serve({
    port: 0,
    hostname: "127.0.0.1",
    websocket: {
      open(ws) {
        for (let index = 0; index < 20; index++) setTimeout(() => ws.send(String(index)), index);
        setTimeout(() => ws.close(), 30);
      },
    },
  });
  await (await connect(server.url, { record: path })).closed;
  await until("all is in the file", () => closedIn(path) === 1);
  using loop = new Loop({ transport: new Replay(path) });
  const seen: string[] = [];
  let isPaused = false;
  const socket = await connect(server.url, {
    loop,
    websocket: {
      message(ws, data) {
        expect(isPaused).toBe(false);
        seen.push(String(data));
        isPaused = true;
        ws.pause();
        setTimeout(() => {
          isPaused = false;
          ws.resume();
        }, 1);
      },
    },
  });
  await socket.closed;
  expect(seen).toEqual(Array.from({ length: 20 }, (_, index) => String(index)));
  await server.stop();
});

test("a polled loop replays in its program's own thread", async () => {
  const path = scratchPath();
  const server = await serve({
    port: 0,
    hostname: "127.0.0.1",
    websocket: { message: (ws, data) => void ws.send(data) },
  });
  const live = await connect(server.url, { record: path });
  live.send("echo");
  for await (const _message of live) live.close();
  await until("all is in the file", () => closedIn(path) === 1);
  using loop = new Loop({ transport: new Replay(path, { speed: 1 }), drive: "manual" });
  const seen: string[] = [];
  const closed: number[] = [];
  connect(server.url, {
    loop,
    websocket: {
      message: (_ws, data) => void seen.push(String(data)),
      close: (_ws, code) => void closed.push(code),
    },
  }).catch(() => {});
  const deadlineMs = performance.now() + 30_000;
  while (closed.length === 0 && performance.now() < deadlineMs) {
    loop.poll(1_000);
    await Promise.resolve();
  }
  expect(seen).toEqual(["echo"]);
  await server.stop();
});

test("a recorded connection that the program never opens is left out, and counted", async () => {
  const path = scratchPath();
  const server = await serve({
    port: 0,
    hostname: "127.0.0.1",
    websocket: { open: (ws) => void ws.send("news") },
  });
  await using recorder = new Recorder(path);
  for (const url of [server.url, server.url.replace("127.0.0.1", "localhost"), server.url]) {
    const live = await connect(url, { record: recorder });
    for await (const _message of live) live.close();
  }
  await recorder.close();
  const replay = new Replay(path, { waitMs: 30 });
  using loop = new Loop({ transport: replay });
  for (let round = 0; round < 2; round++) {
    const socket = await connect(server.url.replace("127.0.0.1", "localhost"), { loop }).catch(
      (error) => error,
    );
    if (round === 0) for await (const message of socket) expect(message.text()).toBe("news");
    else expect(socket).toMatchObject({ code: "ERR_RECORDING" });
  }
  expect(await replay.finished).toMatchObject({ connections: 1, missed: 2 });
  await server.stop();
});

test("a service that lost its line again and again keeps the same book in the replay", async () => {
  const path = scratchPath();
  let sequence = 0;
  const server = await serve({
    port: 0,
    hostname: "127.0.0.1",
    websocket: {
      message(ws) {
        ws.sendJson({ snapshot: sequence });
        for (let count = 0; count < 20; count++)
          ws.sendJson({ sequence: ++sequence, level: sequence % 7, size: sequence });
        // The last of five lines says so and stays.
        if (sequence < 100) setTimeout(() => ws.terminate(), 5);
        else ws.sendJson({ end: true });
      },
    },
  });
  /** Level by size, and what broke continuity, until the feed's end. */
  async function follow(
    loop: Loop,
    record?: string,
  ): Promise<{ book: [number, number][]; gaps: number; times: number[] }> {
    const book = new Map<number, number>();
    const times: number[] = [];
    let gaps = 0;
    await using service = new Service({ loop });
    await new Promise<void>((resolve) => {
      service.add({
        url: () => server.url,
        reconnect: { initialMs: 5, maxMs: 20 },
        ...(record === undefined ? {} : { record }),
        websocket: {
          open: (ws) => void ws.send("subscribe"),
          batch(_ws, messages) {
            times.push(messages.receivedNs);
            for (const message of messages) {
              const { level, size, end } = JSON.parse(message.text());
              if (end === true) resolve();
              else if (level !== undefined) book.set(level, size);
            }
          },
        },
        gap: () => void gaps++,
      });
    });
    return { book: [...book].sort(), gaps, times };
  }
  const live = new Loop();
  const seen = await follow(live, path);
  expect(seen.book.length).toBe(7);
  await until("all is in the file", () => closedIn(path) === 5);
  live.close();
  const replays = [];
  for (let round = 0; round < 2; round++) {
    using loop = new Loop({ transport: new Replay(path) });
    replays.push(await follow(loop));
  }
  expect(replays[0].book).toEqual(seen.book);
  expect(replays[0].gaps).toBe(seen.gaps);
  // Byte for byte and nanosecond for nanosecond.
  expect(replays[1]).toEqual(replays[0]);
  await server.stop({ graceMs: 0 });
});

test("a connection whose recording ends before it closes says so", async () => {
  const path = scratchPath();
  const server = await serve({
    port: 0,
    hostname: "127.0.0.1",
    websocket: { open: (ws) => void ws.send("news") },
  });
  await using recorder = new Recorder(path);
  const live = await connect(server.url, { record: recorder });
  for await (const _message of live) break;
  await recorder.close();
  using loop = new Loop({ transport: new Replay(path) });
  const socket = await connect(server.url, { loop });
  const failing = (async (): Promise<void> => {
    for await (const message of socket) expect(message.text()).toBe("news");
  })();
  await expect(failing).rejects.toMatchObject({ code: "ERR_RECORDING", shouldReconnect: false });
  live.terminate();
  await server.stop();
});

test("a replay serves one loop", () => {
  const path = scratchPath();
  const recorder = new Recorder(path);
  return recorder.close().then(() => {
    const replay = new Replay(path);
    using _loop = new Loop({ transport: replay });
    expect(() => new Loop({ transport: replay })).toThrow(TypeError);
    expect(() => new Replay(path, { speed: 0 })).toThrow(RangeError);
    expect(() => new Replay(`${path}.not`)).toThrow(RingwireError);
  });
});
