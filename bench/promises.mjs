#!/usr/bin/env node
/**
 * The figures that people expect of a WebSocket library (websocket-fabric promises them), with every option at its default, on the runtime
 * that runs this:
 * echo latency at 10,000 messages a second, messages a second over one connection, memory of a connection, connections at once.
 */
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { ROOT, runCaptured } from "../scripts/setup/command.mjs";
import { median } from "./median.mjs";
import { IS_PINNED, Program } from "./program.mjs";
import { benchProgram } from "./programs.mjs";
import { portOf } from "./rig.mjs";

const isSmoke = process.argv.includes("--smoke");
const { bun, deno } = process.versions;
const RUNTIME = bun !== undefined ? "bun" : deno !== undefined ? "deno" : "node";
const SECONDS = isSmoke ? 0.1 : 0.5;
/** Of each figure the median counts: the machine is shared. */
const ROUNDS = isSmoke ? 1 : 3;
const RATE = 10_000;
/** Connections that are there before memory is first looked at, and those opened then. */
const FIRST_CONNECTIONS = isSmoke ? 20 : 1_000;
const MORE_CONNECTIONS = isSmoke ? 50 : 10_000;
const OPENING_AT_ONCE = 250;
const QUIET_MS = isSmoke ? 50 : 1_500;
const LIMIT_MS = 30_000;

const REQUEST =
  "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
/** A masked text message "hi" with the key 0, and its echo. */
const HELLO = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]);
const ECHO = Buffer.from([0x81, 0x02, 0x68, 0x69]);

const pinned = (core, words) => (IS_PINNED ? ["taskset", "-c", String(core), ...words] : words);

function startServer(transport) {
  const { command, environment } = benchProgram(RUNTIME, "bench/peers/ringwire_default.ts");
  return new Program(`${RUNTIME} ${transport}`, {
    command: [...command, "--transport", transport],
    environment,
    cores: "0",
  });
}

async function runJson(words, environment) {
  const [program, ...args] = pinned(1, words);
  const { status, output } = await runCaptured(program, args, { limitMs: LIMIT_MS, environment });
  if (status !== 0) throw new Error(`"${words.join(" ")}" ended with ${status}: ${output}`);
  return JSON.parse(output);
}

/** Latency at a fixed rate: a service of the same runtime, polled, against the server at its default. */
function measurePace(port) {
  const words = ["--port", port, "--rate", String(RATE), "--seconds", String(SECONDS), "--warmup", "0.3"];
  const { command, environment } = benchProgram(RUNTIME, "bench/peers/ringwire_pacer.ts");
  return runJson([...command, ...words], environment);
}

function measureRate(port, pid) {
  const load = ["--connections", "1", "--in-flight", "64", "--bytes", "64", "--warmup", "0.1"];
  const words = ["--port", port, "--seconds", String(SECONDS), "--server-pid", String(pid), ...load];
  return runJson([join(ROOT, "bench/load/build/load"), ...words], {});
}

async function openOne(port) {
  const socket = connect(Number(port), "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.write(REQUEST);
  const [head] = await once(socket, "data");
  if (!head.toString("latin1").startsWith("HTTP/1.1 101")) throw new Error(`refused: ${head}`);
  return socket;
}

async function openMany(port, count) {
  const sockets = [];
  while (sockets.length < count) {
    const group = Math.min(OPENING_AT_ONCE, count - sockets.length);
    sockets.push(...(await Promise.all(Array.from({ length: group }, () => openOne(port)))));
  }
  return sockets;
}

/** Whether the connection still does what it is for. */
async function isAlive(socket) {
  const answered = once(socket, "data");
  socket.write(HELLO);
  return ECHO.equals((await answered)[0]);
}

/** The least of a while: collectors run when they like. */
async function quietBytes(server) {
  const untilMs = performance.now() + QUIET_MS;
  let least = Number.POSITIVE_INFINITY;
  do {
    await delay(QUIET_MS / 10);
    least = Math.min(least, server.residentBytes());
  } while (performance.now() < untilMs);
  return least;
}

/** Resident memory of each further connection, and how many of all answer. */
async function measureMemory(port, server) {
  const sockets = await openMany(port, FIRST_CONNECTIONS);
  try {
    const before = await quietBytes(server);
    sockets.push(...(await openMany(port, MORE_CONNECTIONS)));
    const after = await quietBytes(server);
    let alive = 0;
    for (let index = 0; index < sockets.length; index += OPENING_AT_ONCE) {
      const answers = await Promise.all(sockets.slice(index, index + OPENING_AT_ONCE).map(isAlive));
      alive += answers.filter(Boolean).length;
    }
    return { bytes: (after - before) / MORE_CONNECTIONS, alive };
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

/** Figures of several rounds: of each the median. */
async function repeat(measure) {
  const rounds = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push(await measure());
  return Object.fromEntries(
    Object.keys(rounds[0]).map((name) => [name, median(rounds.map((figures) => figures[name]))]),
  );
}

async function measureAll(transport) {
  const server = startServer(transport);
  try {
    const port = await portOf(server);
    // Only io_uring can be polled, which the pacer does; its server may be either.
    const pace = await repeat(() => measurePace(port));
    const rate = await repeat(() => measureRate(port, server.pid));
    const { bytes, alive } = await measureMemory(port, server);
    return { pace, rate, bytes, alive };
  } finally {
    await server.stop();
  }
}

const us = (ns) => (ns / 1_000).toFixed(0);
/** A tiny run measures compilers warming up. */
const verdict = (isKept) => (isKept || isSmoke ? "" : " (missed)");

console.log(
  `echo of 64 B at ${RATE} messages/s over one connection, from when each was due; messages/s over one connection with 64 under way;\n` +
    "resident memory of each idle connection beyond the first thousand; connections that all answer; medians of 3 rounds\n",
);
console.log(
  `${"server".padEnd(14)}${"p50 < 100 µs".padEnd(18)}${"p95 < 500 µs".padEnd(18)}${"p99, max".padEnd(18)}` +
    `${"> 100,000 msg/s".padEnd(18)}${"< 10 KB each".padEnd(18)}> 10,000 connections`,
);
for (const transport of ["uring", "native"]) {
  const { pace, rate, bytes, alive } = await measureAll(transport);
  const cells = [
    us(pace.p50) + verdict(pace.p50 < 100_000),
    us(pace.p95) + verdict(pace.p95 < 500_000),
    `${us(pace.p99)}, ${us(pace.max)} µs`,
    `${(rate.messagesPerSecond / 1_000).toFixed(0)} k${verdict(rate.messagesPerSecond > 100_000)}`,
    `${(bytes / 1_000).toFixed(1)} KB${verdict(bytes < 10_000)}`,
  ];
  const columns = cells.map((cell) => cell.padEnd(18)).join("");
  console.log(`${`${RUNTIME} ${transport}`.padEnd(14)}${columns}${alive}${verdict(alive > 10_000)}`);
}
process.exit(0);
