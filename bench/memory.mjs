#!/usr/bin/env node
/**
 * `npm run bench:memory`: what an idle WebSocket costs a server in resident memory, compressed or not. Fresh server processes;
 * clients are ws's, in this process. Each exchanges a few messages in both directions, so that whatever a server allocates for
 * a compressed connection is there; then all is quiet, and what the server has grown by is divided by the connections.
 */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { parseOrExit } from "../scripts/arguments.mjs";
import { build } from "../scripts/build.mjs";
import { RUNTIMES } from "../scripts/runtimes.mjs";
import { setUpOrExit } from "../scripts/setup.mjs";
import { median } from "./compare.mjs";
import { startServer, stopServer } from "./measure.mjs";
import { listParticipants } from "./participants.mjs";

const HELP = `Usage: npm run bench:memory [-- OPTIONS]

Resident memory of a server for each idle connection, in KiB: Ringwire on each runtime and transport, Bun.serve, ws.

  --connections N   held at once                                       (default: 2000)
  --mode NAME       permessage-deflate: dedicated, shared or disabled  (default: dedicated)
  --rounds N        fresh processes, of which the median counts        (default: 3)
  --help            this text`;

/** Connections opened and closed before anything is measured: compilers and pools have had their turn. */
const WARMING_CONNECTIONS = 100;
const OPENING_AT_ONCE = 50;
/** Requests of each client. Every one is answered with a burst of quotes. */
const REQUESTS = 2;
/** Long enough to be compressed, and different for each client. */
const REQUEST_BYTES = 300;
const QUIET_MS = 3_000;

const options = parseOrExit(
  process.argv.slice(2),
  { connections: "number", mode: ["dedicated", "shared", "disabled"], rounds: "number" },
  HELP,
);
const { connections = 2_000, mode = "dedicated", rounds = 3 } = options;

function residentKib(pid) {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]);
}

/** The least of a while: collectors run when they like. */
async function quietResidentKib(pid) {
  const until = Date.now() + QUIET_MS;
  let least = Number.POSITIVE_INFINITY;
  while (Date.now() < until) {
    await delay(250);
    least = Math.min(least, residentKib(pid));
  }
  return least;
}

async function openOne(port, index) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, {
    perMessageDeflate: mode !== "disabled" && {
      threshold: 0,
      serverNoContextTakeover: mode === "shared",
      clientNoContextTakeover: mode === "shared",
    },
  });
  await once(socket, "open");
  const compressed = socket.extensions.includes("permessage-deflate");
  if (compressed !== (mode !== "disabled")) throw new Error(`compression is ${compressed ? "on" : "off"}`);
  for (let count = 0; count < REQUESTS; count++) {
    const answered = once(socket, "message");
    socket.send(`${index} ${count} `.repeat(REQUEST_BYTES).slice(0, REQUEST_BYTES));
    await answered;
  }
  return socket;
}

async function openMany(port, count) {
  const sockets = [];
  for (let index = 0; index < count; index += OPENING_AT_ONCE) {
    const group = Array.from({ length: Math.min(OPENING_AT_ONCE, count - index) }, (_, at) =>
      openOne(port, index + at),
    );
    sockets.push(...(await Promise.all(group)));
  }
  return sockets;
}

async function measureOne(participant) {
  const { child, port } = await startServer(participant);
  const sockets = [];
  try {
    for (const socket of await openMany(port, WARMING_CONNECTIONS)) socket.terminate();
    const before = await quietResidentKib(child.pid);
    sockets.push(...(await openMany(port, connections)));
    const after = await quietResidentKib(child.pid);
    return (after - before) / connections;
  } finally {
    for (const socket of sockets) socket.terminate();
    await stopServer(child);
  }
}

const shimReason = await setUpOrExit();
const { default: WebSocket } = await import("ws");
const complaint = build("dist") ?? build("node");
if (complaint !== undefined) {
  console.error(complaint);
  process.exit(1);
}
const participants = listParticipants({
  runtimes: RUNTIMES,
  hasShim: shimReason === undefined,
  feed: mode,
});
const figures = new Map(participants.map(({ name }) => [name, []]));
for (let round = 0; round < rounds; round++) {
  for (const participant of round % 2 === 0 ? participants : [...participants].reverse()) {
    figures.get(participant.name).push(await measureOne(participant));
    process.stderr.write(".");
  }
}
process.stderr.write("\n");
console.log(
  `\nResident KiB for each of ${connections} idle connections, ${mode}, median of ${rounds} (least – most)\n`,
);
for (const [name, list] of figures) {
  const range = `${Math.min(...list).toFixed(0)} – ${Math.max(...list).toFixed(0)}`;
  console.log(`${name.padEnd(14)}${median(list).toFixed(0).padStart(6)}   (${range})`);
}
