/**
 * What recording costs: a client that decodes 300 B of JSON as strings, from a server in another process, over 10 connections with 4
 * requests of 32 messages under way on each; in turns without and with a recorder. Prints one line of JSON.
 *
 * Options: --transport uring|native, --rounds N, --seconds N, --file PATH (default: in the system's folder for such files).
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { connect, Loop, type Socket } from "../src/mod.ts";
import { Recorder } from "../src/record/mod.ts";
import { REQUESTED } from "./peers/quotes.ts";

const CONNECTIONS = 10;
const REQUESTS_UNDER_WAY = 4;
const WARM_UP_MS = 400;

const { values } = parseArgs({
  options: {
    transport: { type: "string", default: "uring" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "1" },
    file: { type: "string" },
  },
});

function startServer(): Promise<{ child: ChildProcess; port: string }> {
  const source = fileURLToPath(new URL("./peers/ringwire_feed.ts", import.meta.url));
  const program = existsSync(source) ? source : source.replace(/\.ts$/, ".js");
  const before = process.versions.deno === undefined ? [] : ["run", "-A"];
  const words = [...before, program, "--compression", "disabled", "--transport", values.transport];
  // The client and what writes the file share the other core.
  const child = spawn("taskset", ["-c", "0", process.execPath, ...words], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.stdout.on("data", (text: Uint8Array) => {
      const port = /listening (\d+)/.exec(new TextDecoder().decode(text))?.[1];
      if (port !== undefined) resolve({ child, port });
    });
  });
}

interface Figures {
  readonly messagesPerSecond: number;
  /** Of this process, its other threads included. */
  readonly cpuNsPerMessage: number;
}

async function measure(loop: Loop, url: string, recorder: Recorder | undefined): Promise<Figures> {
  let messages = 0;
  let length = 0;
  const sockets: Socket<{ left: number }>[] = [];
  for (let index = 0; index < CONNECTIONS; index++) {
    const socket = await connect(url, {
      loop,
      data: { left: REQUESTED },
      ...(recorder === undefined ? {} : { record: recorder }),
      websocket: {
        message(ws, text) {
          messages++;
          length += text.length;
          if (--ws.data.left > 0) return;
          ws.data.left = REQUESTED;
          ws.send("more");
        },
      },
    });
    sockets.push(socket);
    for (let count = 0; count < REQUESTS_UNDER_WAY; count++) socket.send("more");
  }
  await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS));
  const beganMs = performance.now();
  const before = messages;
  const cpu = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, Number(values.seconds) * 1_000));
  const { user, system } = process.cpuUsage(cpu);
  const count = messages - before;
  const figures = {
    messagesPerSecond: (count / (performance.now() - beganMs)) * 1_000,
    cpuNsPerMessage: ((user + system) * 1_000) / count,
  };
  for (const socket of sockets) socket.terminate();
  await Promise.all(sockets.map((socket) => socket.closed));
  if (length === 0) throw new Error("Nothing came");
  return figures;
}

const folder = mkdtempSync(join(tmpdir(), "ringwire-bench-"));
const path = values.file ?? join(folder, "bench.rwr");
const { child, port } = await startServer();
const loop = new Loop({ transport: values.transport as "uring" | "native" });
const url = `ws://127.0.0.1:${port}/`;
const plain: Figures[] = [];
const recorded: Figures[] = [];
let lostRecords = 0;
let megabytesPerSecond = 0;
await measure(loop, url, undefined);
for (let round = 0; round < Number(values.rounds); round++) {
  plain.push(await measure(loop, url, undefined));
  const recorder = new Recorder(path);
  const beganMs = performance.now();
  recorded.push(await measure(loop, url, recorder));
  megabytesPerSecond = recorder.stats.bytes / 1e3 / (performance.now() - beganMs);
  lostRecords += recorder.stats.lostRecords;
  await recorder.close();
  rmSync(path);
}
child.kill();
rmSync(folder, { recursive: true, force: true });
const median = (all: Figures[], name: keyof Figures): number =>
  Math.round(all.map((each) => each[name]).sort((a, b) => a - b)[all.length >> 1]);
const rates = [median(plain, "messagesPerSecond"), median(recorded, "messagesPerSecond")];
const ratios = plain.map((each, index) => recorded[index].messagesPerSecond / each.messagesPerSecond);
console.log(
  JSON.stringify({
    messagesPerSecond: rates,
    ratio: Number((rates[1] / rates[0]).toFixed(3)),
    ratios: ratios.map((ratio) => Number(ratio.toFixed(2))),
    cpuNsPerMessage: [median(plain, "cpuNsPerMessage"), median(recorded, "cpuNsPerMessage")],
    recordedMegabytesPerSecond: Math.round(megabytesPerSecond),
    lostRecords,
  }),
);
loop.close();
