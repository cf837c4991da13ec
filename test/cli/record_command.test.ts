/** `ringwire record`, `replay` and `inspect`, as processes of their own. */

import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { connect, type Server, type Socket, serve } from "../../src/mod.ts";
import { scratchPath } from "../record/scratch.ts";
import { killPrograms, runCli, startCli } from "./child_program.ts";

const servers: Server[] = [];

afterEach(async () => {
  killPrograms();
  await Promise.all(servers.splice(0).map((server) => server.stop({ graceMs: 0 })));
});

/** Answers a subscription with three messages, of which one is binary, and closes. */
async function feed(): Promise<Server> {
  const server = await serve({
    port: 0,
    hostname: "127.0.0.1",
    protocols: ["v2.feed"],
    websocket: {
      compression: { thresholdBytes: 0 },
      message(ws, data) {
        ws.send(`news of ${data}`);
        ws.send(new Uint8Array([1, 2]));
        ws.send("x".repeat(2_000));
        ws.close(1000);
      },
    },
  });
  servers.push(server);
  return server;
}

const LINES = `news of gold\n<2 bytes> 0102\n${"x".repeat(2_000)}\n`;

async function recorded(): Promise<{ path: string; url: string }> {
  const path = scratchPath();
  const { url } = await feed();
  const words = [
    "record",
    url,
    path,
    "--send",
    "gold",
    "--protocol",
    "v2.feed",
    "--compression",
    "dedicated",
  ];
  const { code, stdout, stderr } = await runCli(words);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/^recorded 3 messages, \d+ bytes\n$/);
  return { path, url };
}

test("what was recorded is printed again, and served to whoever connects", async () => {
  const { path } = await recorded();
  expect(await runCli(["replay", path, "--speed", "max"])).toEqual({ code: 0, stdout: LINES, stderr: "" });
  expect(await runCli(["replay", path])).toEqual({ code: 0, stdout: LINES, stderr: "" });

  const program = startCli(["replay", path, "--serve", "0", "--speed", "max"]);
  const [, url] = await program.output(/^listening (\S+) replaying /);
  const read = async (socket: Socket): Promise<string[]> => {
    const texts: string[] = [];
    for await (const message of socket) texts.push(message.isText ? message.text() : message.bytes().join());
    expect(await socket.closed).toMatchObject({ code: 1000, wasClean: true });
    return texts;
  };
  const both = await Promise.all([connect(url).then(read), connect(url).then(read)]);
  const expected = ["news of gold", "1,2", "x".repeat(2_000)];
  expect(both).toEqual([expected, expected]);
  program.signal("SIGTERM");
  expect(await program.ended).toMatchObject({ code: 0, stderr: "" });
});

test("a recording is ended by a signal or its time, and gone on with later", async () => {
  const path = scratchPath();
  let heard = (): void => {};
  const ready = new Promise<void>((resolve) => {
    heard = resolve;
  });
  const server = await serve({
    port: 0,
    hostname: "127.0.0.1",
    websocket: {
      open: (ws) => void ws.send("hello"),
      message: () => heard(),
    },
  });
  servers.push(server);
  expect(await runCli(["record", server.url, path, "--seconds", "1"])).toMatchObject({ code: 0 });
  const program = startCli(["record", server.url, path, "--send", "ready"]);
  await ready;
  program.signal("SIGINT");
  expect(await program.ended).toMatchObject({ code: 0, stderr: "" });
  expect(await runCli(["replay", path, "--speed", "max"])).toMatchObject({
    code: 0,
    stdout: "hello\nhello\n",
  });
  const { stdout } = await runCli(["inspect", path]);
  expect(stdout).toMatch(
    /, 2 connections, recorded from \S+Z and \S+Z\n#1 client ws:.+, closed\n#2 client ws:.+, closed\n$/,
  );
});

test("inspect lists the records, and tells damage by its offset", async () => {
  const { path, url } = await recorded();
  const whole = await runCli(["inspect", path, "--records"]);
  expect(whole).toMatchObject({ code: 0, stderr: "" });
  expect(whole.stdout).toMatch(/^ +8 \+0\.000000 session #0 /);
  expect(whole.stdout).toMatch(/ out {5}#1 \d+ GET \/ HTTP/);
  expect(whole.stdout).toContain(`#1 client ${url} 127.0.0.1 port `);
  const bytes = Uint8Array.from(readFileSync(path));
  truncateSync(path, bytes.length - 1);
  const torn = await runCli(["inspect", path]);
  expect(torn.code).toBe(1);
  expect(torn.stdout).toMatch(
    new RegExp(`\\ntorn: the last 27 bytes, from ${bytes.length - 28} on, are no whole record\\n$`),
  );
  // The record behind the session's, whose clocks may have a digit more or less.
  const second = 8 + 28 + new DataView(bytes.buffer).getUint32(8 + 8, true);
  bytes[second + 20] ^= 1;
  writeFileSync(path, bytes);
  const damaged = await runCli(["inspect", path]);
  expect(damaged.code).toBe(1);
  expect(damaged.stdout).toMatch(
    new RegExp(`\\ndamaged: \\d+ bytes from ${second} on are no whole record\\n$`),
  );
});

test("wrong command lines are refused, and what is no recording is told", async () => {
  for (const words of [
    ["record", "ws://127.0.0.1:1"],
    ["replay"],
    ["replay", "x", "--speed", "0"],
    ["replay", "x", "--host", "::"],
    ["inspect", "a", "b"],
  ]) {
    expect(await runCli(words)).toMatchObject({ code: 2, stdout: "" });
  }
  const path = scratchPath();
  writeFileSync(path, "not a recording");
  for (const command of ["inspect", "replay"]) {
    expect(await runCli([command, path])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^ringwire: ERR_RECORDING: .+no recording/),
    });
  }
});
