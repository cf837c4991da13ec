/**
 * The server side of a soak: Ringwire's servers on one runtime, a few on each transport, that differ in how they take messages. The URL
 * of each connection says what is to happen on it, so the server checks its half of every stream by itself.
 *
 * Arguments: Ringwire's module, transports with commas between, "compressed" or "plain", what to do wrong on purpose ("" = nothing), and
 * files: two certificates for wss with their keys, with commas between ("" = no TLS); "both" for ws servers besides.
 */
import { Buffer } from "node:buffer";
import { openSync, readFileSync } from "node:fs";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { differenceFrom, messageOf } from "./message.mjs";
import { collectGarbage, Ledger, memory, obey, say } from "./process_side.mjs";
import { Sabotage } from "./sabotage.mjs";
import { planOf } from "./talk_plan.mjs";

const [, , module, transports, compressed, fault, files, both] = process.argv;
const { Loop, serve } = await import(pathToFileURL(module).href);

const ledger = new Ledger("server");
const sabotage = new Sabotage(fault, openSync);
/** A stop of the whole soak (see scripts/soak.mjs) must not look like a silent peer. */
const PATIENT = { idleTimeoutMs: 600_000, pongTimeoutMs: 300_000, messageTimeoutMs: 600_000 };
const PATIENT_CLOSE = { closeTimeoutMs: 300_000 };

/** Ways to be a server. `strict` is for peers that fall silent: its deadlines are short, but longer than a busy machine lets a process wait. */
const MODES = {
  message: { ...PATIENT, ...PATIENT_CLOSE, pingIntervalMs: 4_000 },
  // Raw peers compare each byte that comes: a Ping would be among them.
  batch: { ...PATIENT, ...PATIENT_CLOSE, zeroCopy: true, pingIntervalMs: 0 },
  queue: { ...PATIENT, ...PATIENT_CLOSE, text: "bytes", fragmentBytes: 3_000, pingIntervalMs: 7_000 },
  strict: { pingIntervalMs: 1_500, pongTimeoutMs: 1_500, closeTimeoutMs: 1_500, messageTimeoutMs: 1_500 },
};
const COMPRESSION = {
  message: "dedicated",
  batch: { mode: "dedicated", windowBits: 10, thresholdBytes: 0, level: 9, memoryLevel: 2 },
  queue: "shared",
  strict: "disabled",
};

/** What one message does on an echoing connection, whichever way it came. Returns what `send` said. */
function echo(ws, data, isText, bytes) {
  const talk = ws.data;
  const index = talk.received++;
  const wrong = differenceFrom(messageOf(talk.seed, index, talk), bytes, isText);
  if (wrong !== undefined) ledger.fail(`${talk.name}, message ${index}: ${wrong}`);
  ledger.count("messages received");
  ledger.count("bytes received", bytes.length);
  const status = sabotage.send(ws, data, isText);
  if (status === "dropped" && ws.state === "open") ledger.fail(`${talk.name}: echo ${index} was dropped`);
  if (talk.received === talk.after) finish(ws);
  return status;
}

/** The server's own end of a connection, where that was agreed on. */
function finish(ws) {
  if (ws.data.kind === "drop") ws.terminate();
  else if (ws.data.kind === "close") ws.close(ws.data.code, ws.data.reason);
}

/** Handler servers stop taking messages while their answers are not taken, and the `slow` kind for no reason at all. */
function throttle(ws, status) {
  if (status === "queued") {
    ledger.count("server waited for drain");
    ws.pause();
  } else if (ws.data.kind === "slow" && ws.data.random.chance(0.1)) {
    ledger.count("server paused");
    ws.pause();
    setTimeout(() => ws.resume(), ws.data.random.between(0, 30));
  }
}

const bytesOf = (data) => (typeof data === "string" ? Buffer.from(data) : data);

const TAKE = {
  message: {
    message: (ws, data, isText) => throttle(ws, echo(ws, data, isText, bytesOf(data))),
    drain: (ws) => ws.resume(),
  },
  batch: {
    batch(ws, messages) {
      let worst = "sent";
      for (const message of messages) {
        const { isText } = message;
        const bytes = isText && ws.data.random.chance(0.5) ? Buffer.from(message.text()) : message.bytes();
        if (echo(ws, message, isText, bytes) === "queued") worst = "queued";
      }
      throttle(ws, worst);
    },
    drain: (ws) => ws.resume(),
  },
  queue: {},
  strict: { message: (ws, data, isText) => void echo(ws, data, isText, bytesOf(data)) },
};

/** The `queue` server: takes messages with `for await`, and waits for drain where handlers pause. */
async function iterate(ws) {
  for await (const message of ws) {
    const bytes = message.bytes();
    const data = message.isText ? message.text() : bytes;
    if (echo(ws, data, message.isText, bytes) === "queued") {
      ledger.count("server waited for drain");
      await ws.drained();
    }
    if (ws.data.kind === "slow" && ws.data.random.chance(0.1)) {
      await new Promise((resolve) => setTimeout(resolve, ws.data.random.between(0, 30)));
    }
  }
}

/** Sends a stream as fast as the client takes it, and closes behind it. */
async function stream(ws) {
  const talk = ws.data;
  for (let index = 0; index < talk.after && ws.state === "open"; index++) {
    const { isText, bytes } = messageOf(talk.seed, index, talk);
    const status = isText ? ws.sendText(bytes) : ws.send(bytes);
    if (status === "dropped" && ws.state === "open")
      ledger.fail(`${talk.name}: message ${index} was dropped`);
    if (status === "queued") {
      ledger.count("server waited for drain");
      await ws.drained();
    } else if (index % 16 === 15) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  ws.close(talk.code, talk.reason);
}

/** Runs something that may fail when the connection breaks, which is fine where that was agreed on. */
function follow(ws, work) {
  work(ws).catch((error) => {
    if (ws.data.ends === "cleanly") ledger.fail(`${ws.data.name}: ${error.code ?? error}: ${error.message}`);
  });
}

function open(mode) {
  return (ws) => {
    ledger.count("connections");
    if (ws.extensions?.includes("permessage-deflate")) ledger.count("compressed connections");
    if (ws.data.kind === "stream") follow(ws, stream);
    if (mode === "queue" && ws.data.kind !== "stream") follow(ws, iterate);
  };
}

function error(ws, failure) {
  ledger.count(`error ${failure.code}`);
  if (ws.data.ends !== "cleanly" && failure.code !== "ERR_HANDLER") return;
  ledger.fail(`${ws.data.name}: ${failure.code}: ${failure.message} ${failure.cause?.stack ?? ""}`);
}

function close(ws, code, reason, wasClean) {
  const talk = ws.data;
  ledger.count(`closed ${code < 3_000 ? code : "3000-4999"}`);
  if (talk.ends !== "cleanly") return;
  if (!wasClean || code !== talk.code || reason !== talk.reason) {
    ledger.fail(
      `${talk.name}: closed with ${code} "${reason}" (${wasClean ? "clean" : "unclean"}), not ${talk.code}`,
    );
  }
}

/** What wss servers show: one certificate after the other, changed while they serve. */
const IDENTITIES = files ? identitiesOf(files.split(",").map((file) => readFileSync(file, "utf8"))) : [];
const RENEW_MS = 2_000;

function identitiesOf([cert, key, otherCert, otherKey]) {
  // A stop of the whole soak must not look like a slow handshake.
  const common = { handshakeTimeoutMs: 300_000 };
  return [
    { cert, key, ...common },
    { cert: otherCert, key: otherKey, ...common },
  ];
}

async function start(transport) {
  const loop = new Loop({ transport });
  const running = [];
  const kinds = IDENTITIES.length === 0 ? [false] : both === "both" ? [false, true] : [true];
  const places = Object.keys(MODES).flatMap((mode) => kinds.map((isSecure) => ({ mode, isSecure })));
  for (const { mode, isSecure } of places) {
    const name = `${transport}/${mode}${isSecure ? "/tls" : ""}`;
    const server = await serve({
      loop,
      port: 0,
      hostname: "127.0.0.1",
      handshakeTimeoutMs: mode === "strict" ? 2_000 : 300_000,
      ...(isSecure
        ? { tls: IDENTITIES[0], tlsError: ({ code }) => ledger.count(`failed handshakes, ${code}`) }
        : {}),
      fetch(request, self) {
        const data = planOf(new URL(request.url), name);
        if (data === undefined) {
          ledger.count("handshakes refused");
          return new Response("no such talk", { status: 404 });
        }
        return self.upgrade(request, { data }) ? undefined : new Response("upgrade!", { status: 426 });
      },
      websocket: {
        ...MODES[mode],
        ...TAKE[mode],
        ...(compressed === "compressed" ? { compression: COMPRESSION[mode] } : {}),
        // A batch may hold a megabyte of messages, and its answers must find room behind a full high mark.
        maxBufferedBytes: 8 << 20,
        // Some clients send a megabyte in fragments of 100 bytes.
        maxFragments: 20_000,
        highWaterRatio: 0.125,
        lowWaterRatio: 0.05,
        open: open(mode),
        error,
        close,
      },
    });
    running.push({ transport, mode, isSecure, name, server });
  }
  return { loop, running };
}

const loops = [];
for (const transport of transports.split(",")) loops.push(await start(transport));
const servers = loops.flatMap(({ running }) => running);
const connections = () => servers.reduce((sum, { server }) => sum + server.connections, 0);

/** Waits until only so many connections are left, collects garbage, and tells what is held then. */
async function rest(expected) {
  // What the transport holds includes listeners' and HTTP connections: it must come to rest as well.
  for (let wait = 0; wait < 200 && connections() !== expected; wait++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  if (connections() !== expected) {
    const held = servers.map(({ name, server }) => `${name} ${server.connections}`);
    ledger.fail(`${connections()} connections are left where ${expected} should be: ${held.join(", ")}`);
    // Those that stay on purpose are open.
    const left = servers
      .flatMap(({ server }) => [...server.sockets()])
      .filter(({ state }) => state !== "open");
    for (const ws of left) {
      const { name, received, after } = ws.data;
      say("note", {
        text: `left: ${name} ${ws.state}, ${received} of ${after} received, ${ws.bufferedAmount} unsent`,
      });
    }
  }
  await collectGarbage();
  const transportConnections = loops.map(({ loop }) => loop.stats.connections);
  say("rest", { counts: ledger.counts, connections: connections(), transportConnections, memory: memory() });
}

let renewals = 0;
const renewing = setInterval(() => {
  renewals++;
  for (const { server, isSecure } of servers) {
    if (!isSecure) continue;
    server.updateTls(IDENTITIES[renewals % IDENTITIES.length]);
    ledger.count("certificates changed");
  }
}, RENEW_MS);

const deafen = obey(async (order, [argument]) => {
  if (order === "rest") await rest(Number(argument));
  if (order !== "stop") return;
  clearInterval(renewing);
  await Promise.all(servers.map(({ server }) => server.stop({ graceMs: 2_000 })));
  for (const { loop } of loops) loop.close();
  say("end", { counts: ledger.counts, memory: memory() });
  deafen();
});

const places = servers.map(({ transport, mode, isSecure, name, server }) => ({
  transport,
  mode,
  isSecure,
  name,
  port: server.port,
  url: server.url.slice(0, -1),
}));
say("ready", { places, transports: loops.map(({ loop }) => `${loop.transport}: ${loop.reason}`) });
