/**
 * The codec workload: our sessions through memory, one thread, no sockets. A client sends 100,000 texts of 14 bytes, each masked with a key of
 * its own; a server unmasks them, checks their UTF-8 and sends each back; the client compares what it gets. bench/rust does the same with
 * Rust libraries.
 *
 * Prints "ready"; for each line "WARMUP SECONDS" on standard input, repeats all phases for so long and prints the medians.
 */

import process from "node:process";
import { createInterface } from "node:readline";
import { type Engine, engineOf, Loop } from "../src/loop.ts";
import type { WebSocketHandlers } from "../src/mod.ts";
import { scalarKernels } from "../src/protocol/scalar_kernels.ts";
import { Session } from "../src/websocket/session.ts";
import { SessionContext } from "../src/websocket/session_context.ts";
import { readSettings } from "../src/websocket/settings.ts";
import { MemoryConnection, MemoryPipe } from "./memory_stream.ts";

const MESSAGES = 100_000;
const TEXT = "Hello, World!\n";
/** Room for the frames, and for what is reserved for the last. */
const CAPACITY_BYTES = (TEXT.length + 14) * MESSAGES + 65_536;

/** How long each phase of a pass took, nanoseconds. */
interface Times {
  readonly sendNs: number;
  readonly echoNs: number;
  readonly recvNs: number;
}

const toServer = new MemoryPipe(CAPACITY_BYTES);
const toClient = new MemoryPipe(CAPACITY_BYTES);
// Everything a session asks of its loop but sockets, and byte loops that need none of the shim's memory.
const real = engineOf(new Loop({ transport: "native" }));
const engine: Engine = { ...real, transport: { ...real.transport, kernels: scalarKernels, flush() {} } };

let matches = 0;

function openSession(
  role: "client" | "server",
  connection: MemoryConnection,
  handlers: WebSocketHandlers<undefined>,
): Session<undefined> {
  const settings = readSettings(role, handlers);
  const info = { url: "ws://memory/", protocol: "", extensions: "" };
  const context = new SessionContext(engine, settings);
  const session = new Session(context, connection, info, undefined, undefined);
  connection.handler = session;
  session.opened();
  return session;
}

function pass(): Times {
  toServer.sizeBytes = 0;
  toClient.sizeBytes = 0;
  matches = 0;
  const atClient = new MemoryConnection(toServer, toClient);
  const atServer = new MemoryConnection(toClient, toServer);
  const client = openSession("client", atClient, {
    batch(_ws, messages) {
      for (const message of messages) if (message.text() === TEXT) matches++;
    },
  });
  const server = openSession("server", atServer, {
    batch(ws, messages) {
      for (const message of messages) ws.send(message);
    },
  });

  const begin = performance.now();
  for (let index = 0; index < MESSAGES; index++) client.socket.send(TEXT);
  client.socket.close();
  const sent = performance.now();
  atServer.receive();
  const echoed = performance.now();
  atClient.receive();
  const received = performance.now();

  const isClosed = client.state !== "open" && server.state !== "open";
  client.closed(undefined);
  server.closed(undefined);
  if (matches !== MESSAGES || !isClosed) throw new Error(`${matches} of ${MESSAGES} messages came back`);
  return { sendNs: (sent - begin) * 1e6, echoNs: (echoed - sent) * 1e6, recvNs: (received - echoed) * 1e6 };
}

function repeat(seconds: number): Times[] {
  const endMs = performance.now() + seconds * 1_000;
  const times: Times[] = [];
  do times.push(pass());
  while (performance.now() < endMs);
  return times;
}

function median(times: readonly Times[], phase: keyof Times): number {
  const sorted = times.map((each) => each[phase]).sort((a, b) => a - b);
  return Math.round(sorted[sorted.length >> 1]);
}

console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  const [warmupSeconds, seconds] = line.split(" ").map(Number);
  repeat(warmupSeconds);
  const times = repeat(seconds);
  const [sendNs, echoNs, recvNs] = (["sendNs", "echoNs", "recvNs"] as const).map((phase) =>
    median(times, phase),
  );
  console.log(JSON.stringify({ passes: times.length, sendNs, echoNs, recvNs }));
}
process.exit(0);
