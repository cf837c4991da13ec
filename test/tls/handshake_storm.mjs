#!/usr/bin/env node
/**
 * What established connections notice of a thousand handshakes: ten clients send 64 B every 2 ms in turn, whatever comes back, first
 * alone, then while another program has 1,000 whole handshakes (TLS 1.3, X25519, ECDSA with P-256) under way at all times. The server has
 * one core to itself; clients and storm share the other one, the clients first (SCHED_FIFO, which takes root).
 *
 * Usage: node test/tls/handshake_storm.mjs [NAME …], after `npm run bench -- --smoke`, which makes the programs. What came of it: RESULTS.md.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { benchProgram } from "../../bench/programs.mjs";
import { ROOT } from "../../scripts/setup/command.mjs";
import { Authority } from "./authority.mjs";

const QUIET_SECONDS = 0.5;
const STORM_SECONDS = 1.2;
const BEFORE_STORM_MS = 500;
const SERVER_CORE = "0";
const OTHER_CORE = "1";
const PORT = "--clients-of";

const SERVERS = {
  "node uring": ["node", "bench/peers/ringwire.ts"],
  "bun uring": ["bun", "bench/peers/ringwire.ts"],
  "deno uring": ["deno", "bench/peers/ringwire.ts"],
  "Bun.serve": ["bun", "bench/peers/bun_serve.ts"],
  "Deno.serve": ["deno", "bench/peers/deno_serve.ts"],
  ws: ["node", "bench/peers/ws_node.mjs"],
};

/** A program on one core, and its lines. */
function start(core, words, environment = {}) {
  const child = spawn("taskset", ["-c", core, ...words], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, ...environment },
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return { child, line: async () => (await lines.next()).value ?? "" };
}

/** The program of the ten clients: for each number of seconds on a line of its input, a line of percentiles. */
async function beClients(port) {
  const { connect } = await import("../../dist/mod.js");
  let waitsMs = [];
  const message = (_ws, sentMs) => void waitsMs.push(performance.now() - Number(sentMs));
  const options = { tls: { rejectUnauthorized: false }, websocket: { message } };
  const url = `wss://127.0.0.1:${port}/`;
  const sockets = await Promise.all(Array.from({ length: 10 }, () => connect(url, options)));
  let turn = 0;
  setInterval(() => sockets[turn++ % sockets.length].send(String(performance.now()).padEnd(64)), 2);
  console.log("ready");
  for await (const seconds of createInterface({ input: process.stdin })) {
    waitsMs = [];
    await delay(Number(seconds) * 1000);
    const sorted = waitsMs.toSorted((a, b) => a - b);
    const [p50, p99, max] = [0.5, 0.99, 1].map((share) =>
      sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))].toFixed(2),
    );
    console.log(`${sorted.length} echoes, ms: p50 ${p50}, p99 ${p99}, slowest ${max}`);
  }
  process.exit(0);
}

async function measure(name, [runtime, source], { certFile, keyFile }) {
  const { command, environment } = benchProgram(runtime, source);
  const server = start(SERVER_CORE, [...command, "--cert", certFile, "--key", keyFile], environment);
  const port = (await server.line()).replace("listening ", "");
  const self = [process.execPath, process.argv[1], PORT, port];
  const clients = start(OTHER_CORE, ["chrt", "-f", "10", ...self], environment);
  await clients.line();
  const seen = async (seconds) => {
    clients.child.stdin.write(`${seconds}\n`);
    return await clients.line();
  };
  console.log(`${name}: alone ${await seen(QUIET_SECONDS)}`);
  const load = ["--port", port, "--connections", "1000", "--warmup", "0.3", "--seconds", "1.5", "--tls"];
  const storm = start(OTHER_CORE, [join(ROOT, "bench/load/build/connect"), ...load]);
  await delay(BEFORE_STORM_MS);
  console.log(`${name}: storm ${await seen(STORM_SECONDS)}`);
  const { connectionsPerSecond } = JSON.parse(await storm.line());
  console.log(`${name}: ${connectionsPerSecond} handshakes a second meanwhile`);
  for (const { child } of [clients, storm, server]) child.kill("SIGKILL");
}

if (process.argv[2] === PORT) {
  await beClients(process.argv[3]);
} else {
  const authority = new Authority();
  const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(SERVERS);
  for (const name of names) await measure(name, SERVERS[name], authority.identity("local"));
  authority.remove();
}
