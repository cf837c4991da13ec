/** A recorder never waits: what finds no room is dropped whole, counted, and said in the file; and a disk that fails is told. */

import { readFileSync, symlinkSync } from "node:fs";
import { expect, test } from "vitest";
import type { RingwireError } from "../../src/errors.ts";
import { engineOf } from "../../src/loop.ts";
import { connect, Loop, serve } from "../../src/mod.ts";
import { Recorder, Recording, Replay } from "../../src/record/mod.ts";
import { RecordWriter } from "../../src/record/record_writer.ts";
import { shareRecorder } from "../../src/record/recorder.ts";
import { copyCrc32 } from "../../src/runtime/crc32.ts";
import { until } from "../transport/recorder.ts";
import { scratchPath } from "./scratch.ts";

const FULL_DISK = "/dev/full";

/** Whether a recorder of this process has the file. */
function isWritten(path: string): boolean {
  try {
    new Recorder(path).close();
    return false;
  } catch {
    return true;
  }
}

test("the file has the same bytes, whether the loop's codec sums them or the runtime", async () => {
  using loop = new Loop();
  const { codec } = engineOf(loop).transport;
  console.log(`sums of ${codec.name}`);
  const files = [];
  for (const copy of [codec.copyCrc32, copyCrc32]) {
    const path = scratchPath();
    const writer = new RecordWriter(path, 1 << 20, 1_000, () => {});
    const tap = writer.open({ role: "client" }, 1, copy);
    const bytes = Uint8Array.from({ length: 300_000 }, (_, index) => index * 31 + (index >> 8));
    for (const size of [0, 1, 63, 300, 4_096, 200_000]) {
      writer.received(tap, 2, bytes, 5, 5 + size);
      for (let count = 0; count < 3; count++) writer.sent(tap, () => 3, bytes, size, size + 200);
    }
    writer.closed(tap, 4, undefined);
    await writer.finish();
    using recording = new Recording(path);
    const [session, open, ...rest] = [...recording].map(({ kind, offset }) => ({ kind, offset }));
    expect([session.kind, open.kind, rest.length, recording.problems]).toEqual(["session", "open", 13, []]);
    // The session record has the time of day.
    files.push(readFileSync(path).subarray(open.offset));
  }
  expect(files[0].length).toBeGreaterThan(200_000);
  expect(files[0].equals(files[1])).toBe(true);
});

test("what finds no room is lost whole, and the file says how much of which connection", async () => {
  const path = scratchPath();
  const writer = new RecordWriter(path, 512 << 10, 1_000, () => {});
  const one = writer.open({}, 1);
  const two = writer.open({}, 1);
  const bytes = new Uint8Array(100_000);
  // Five of them fit, and nothing can be written before this thread returns to its event loop.
  for (let index = 0; index < 10; index++)
    writer.received(index % 2 === 0 ? one : two, index, bytes, 0, bytes.length);
  expect(writer.stats).toMatchObject({ lostRecords: 5, lostBytes: 500_000 });
  expect(writer.stats.bufferedBytes).toBeLessThanOrEqual(512 << 10);
  writer.closed(one, 20, undefined);
  await writer.flush();
  writer.received(two, 30, bytes, 0, 10);
  await writer.finish();
  using recording = new Recording(path);
  const seen: unknown[] = [];
  for (const entry of recording) {
    if (entry.kind !== "session")
      seen.push([entry.kind, entry.connection, entry.kind === "loss" ? entry.facts() : 0]);
  }
  expect(seen).toEqual([
    ["open", 1, 0],
    ["open", 2, 0],
    ...[1, 2, 1, 2, 1].map((connection) => ["in", connection, 0]),
    ["loss", 1, { records: 2, inBytes: 200_000, outBytes: 0 }],
    ["closed", 1, 0],
    ["loss", 2, { records: 3, inBytes: 300_000, outBytes: 0 }],
    ["in", 2, 0],
  ]);
});

test("a replay breaks off the connection that lost records, and says so", async () => {
  const path = scratchPath();
  const server = await serve({
    port: 0,
    hostname: "127.0.0.1",
    websocket: { open: (ws) => void ws.send("news") },
  });
  const recorder = new Recorder(path, { maxBufferedBytes: 512 << 10, flushMs: 60_000 });
  const live = await connect(server.url, {
    record: recorder,
    websocket: { maxBufferedBytes: 64 << 20, message: (ws) => void ws.send(new Uint8Array(1 << 20)) },
  });
  await until("the message has been answered", () => recorder.stats.lostRecords > 0);
  live.terminate();
  await live.closed;
  await recorder.close();
  const replay = new Replay(path);
  using loop = new Loop({ transport: replay });
  const failures: RingwireError[] = [];
  const socket = await connect(server.url, {
    loop,
    websocket: { message() {}, error: (_ws, error) => void failures.push(error) },
  });
  await socket.closed;
  expect(failures[0]).toMatchObject({
    code: "ERR_RECORDING",
    message: expect.stringMatching(/records are missing/),
  });
  expect(await replay.finished).toMatchObject({ incomplete: 1 });
  await server.stop();
});

test("a disk that takes nothing is told once, and connections go on", async () => {
  const told: RingwireError[] = [];
  const recorder = new Recorder(FULL_DISK, { flushMs: 1, error: (error) => void told.push(error) });
  const server = await serve({
    port: 0,
    hostname: "127.0.0.1",
    websocket: { message: (ws, data) => void ws.send(data) },
  });
  const socket = await connect(server.url, { record: recorder });
  await until("the disk has failed", () => recorder.failure !== undefined);
  socket.send("still here");
  for await (const message of socket) {
    expect(message.text()).toBe("still here");
    socket.close();
  }
  await expect(recorder.close()).rejects.toMatchObject({
    code: "ERR_RECORDING",
    message: expect.stringMatching(/ENOSPC/),
  });
  expect(told).toEqual([recorder.failure]);
  await server.stop();
});

test("connections outlive the recorder that is closed", async () => {
  const path = scratchPath();
  const server = await serve({
    port: 0,
    hostname: "127.0.0.1",
    websocket: { message: (ws, data) => void ws.send(data) },
  });
  const recorder = new Recorder(path);
  const socket = await connect(server.url, { record: recorder });
  await recorder.close();
  await recorder.close();
  socket.send("unrecorded");
  for await (const message of socket) {
    expect(message.text()).toBe("unrecorded");
    socket.close();
  }
  await server.stop();
  using recording = new Recording(path);
  expect([...recording].some(({ payload }) => new TextDecoder().decode(payload).includes("unrecorded"))).toBe(
    false,
  );
});

test("one recorder at a time has a file, whatever name it goes by; a path is shared, and free again behind the last", async () => {
  const path = scratchPath();
  const recorder = new Recorder(path);
  symlinkSync(path, `${path}.link`);
  for (const name of [path, `${path}.link`])
    expect(() => new Recorder(name)).toThrow(/another recorder of this process does/);
  await recorder.close();
  const server = await serve({ port: 0, hostname: "127.0.0.1", websocket: {} });
  for (let round = 0; round < 3; round++) {
    const sockets = await Promise.all([1, 2].map(() => connect(server.url, { record: path })));
    for (const socket of sockets) socket.terminate();
    await Promise.all(sockets.map(({ closed }) => closed));
  }
  await server.stop();
  await until("the path is free", () => !isWritten(path));
  using recording = new Recording(path);
  const opened = [...recording].filter(({ kind }) => kind === "open").map(({ connection }) => connection);
  expect(opened).toEqual([1, 2, 3, 4, 5, 6]);
});

test("whoever takes a path's recorder while the file is brought onto the device, and goes before it is, loses nothing", async () => {
  const path = scratchPath();
  const bytes = new Uint8Array(100_000);
  const visit = (count: number): RecordWriter => {
    const { writer, release } = shareRecorder(path);
    const tap = writer.open({}, 1);
    for (let index = 0; index < count; index++) writer.received(tap, 2, bytes, 0, bytes.length);
    release();
    return writer;
  };
  const writer = visit(1);
  while (writer.stats.bufferedBytes > 0) await new Promise((resolve) => setImmediate(resolve));
  visit(100);
  await until("the path is free", () => !isWritten(path));
  using recording = new Recording(path);
  expect([...recording].filter(({ kind }) => kind === "in").length).toBe(101);
});

test("a recorder is closed while its connections go at full speed: nothing behind that is recorded, nothing before is missing", async () => {
  const path = scratchPath();
  const server = await serve({
    port: 0,
    hostname: "127.0.0.1",
    websocket: {
      maxBufferedBytes: 64 << 20,
      message(ws, data) {
        for (let count = 0; count < 32; count++) ws.send(data);
      },
    },
  });
  const recorder = new Recorder(path);
  let count = 0;
  const socket = await connect(server.url, {
    record: recorder,
    websocket: {
      message(ws, data) {
        if (++count % 32 === 0) ws.send(data);
      },
    },
  });
  for (let underWay = 0; underWay < 4; underWay++) socket.send("x".repeat(1_000));
  await until("much is recorded", () => recorder.stats.bytes > 2_000_000);
  const closing = recorder.close();
  const { records, lostRecords } = recorder.stats;
  await closing;
  const before = count;
  await until("the connection goes on", () => count > before);
  socket.terminate();
  await socket.closed;
  await server.stop();
  using recording = new Recording(path);
  expect([...recording].length).toBe(records);
  expect(recording.problems).toEqual([]);
  expect({ lostRecords, after: recorder.stats.records }).toEqual({ lostRecords: 0, after: records });
});

test("passwords of URLs do not get into the file", async () => {
  const path = scratchPath();
  const server = await serve({ port: 0, hostname: "127.0.0.1", websocket: {} });
  await using recorder = new Recorder(path);
  const socket = await connect(server.url.replace("//", "//ada:secret@"), { record: recorder });
  socket.terminate();
  await recorder.flush();
  using recording = new Recording(path);
  for (const entry of recording) {
    if (entry.kind === "open") expect(JSON.stringify(entry.facts())).not.toContain("secret");
  }
  await server.stop();
});

test("options are checked at once", async () => {
  const path = scratchPath();
  expect(() => new Recorder(path, { flushMs: 0 })).toThrow(RangeError);
  expect(() => new Recorder(path, { maxBufferedBytes: 1 })).toThrow(RangeError);
  expect(() => new Recorder(path, { flush: 1 } as object)).toThrow(TypeError);
  expect(() => new Recorder(1 as never)).toThrow(TypeError);
  await expect(connect("ws://127.0.0.1:1", { record: 1 as never })).rejects.toThrow(TypeError);
});
