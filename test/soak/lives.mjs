/**
 * What the clients of a soak do with a connection, from opening to the end. Each ends by itself, soon when `context.isWindingUp`.
 */
import { Talk } from "./talk.mjs";

/** How often each is lived. */
export const LIVES = {
  echo: 30,
  stream: 10,
  slowReader: 4,
  slowServer: 8,
  serverCloses: 8,
  serverDrops: 4,
  clientDrops: 8,
  abortedHandshake: 6,
  refused: 2,
  idle: 3,
  brokenHandshake: 3,
  abandonedHandshake: 3,
  brokenFrame: 3,
  halfClose: 4,
  violation: 2,
  silent: 1,
  slowHandshake: 1,
  brokenTls: 3,
  truncated: 3,
};

/** Servers by the way they take messages; see server.mjs. */
const SERVERS = ["message", "batch", "queue"];

/** A hundred of these are more than sockets hold: the sender must wait. */
const LARGE = { minBytes: 90_000 };

function codeOf(random) {
  return random.of([1000, 1001, random.between(3_000, 4_999)]);
}

/** Opens a connection with a plan. */
async function begin(context, plan) {
  const { random } = context;
  const server = context.server(random.of(SERVERS));
  const seed = random.next();
  const whole = {
    seed,
    code: codeOf(random),
    reason: random.of(["", "done", "fertig ☃"]),
    ends: "cleanly",
    ...plan,
  };
  const talk = new Talk(context.ledger, whole, `${context.name} to ${server.name}`);
  context.watch(talk);
  await talk.open(context.open, server.url, { transport: server.transport, random });
  return talk;
}

/** Sends in bursts, with pings in between and thoughts behind. */
async function chat(context, talk, count) {
  const { random } = context;
  for (
    let burst = 0;
    talk.sent < count && !talk.isClosed;
    burst = burst === 0 ? random.between(1, 12) : burst - 1
  ) {
    await talk.send();
    if (random.chance(0.1) && !talk.isClosed) talk.ping();
    if (context.isWindingUp) break;
    if (burst > 0) continue;
    if (random.chance(0.3)) await talk.settled();
    await context.think();
  }
}

/** Sees through what is under way, and closes. */
async function end(talk) {
  await talk.settled();
  if (!talk.isClosed) talk.ping();
  await talk.ponged();
  await talk.close();
  talk.expectCleanEnd();
}

async function echo(context) {
  const talk = await begin(context, { kind: "echo" });
  await chat(context, talk, context.random.between(0, 60));
  await end(talk);
}

async function stream(context) {
  const after = context.random.between(0, 60);
  const talk = await begin(context, { kind: "stream", after });
  await talk.closed();
  talk.expectCleanEnd(after);
}

/** Reads only now and then: the server must wait and lose nothing. */
async function slowReader(context) {
  const { random } = context;
  const after = random.between(20, 150);
  const talk = await begin(context, { kind: "stream", after, ...LARGE });
  while (!talk.isClosed && !context.isWindingUp) {
    talk.peer.pause();
    await context.sleep(random.between(0, 200));
    talk.progress++;
    talk.peer.resume();
    await Promise.race([talk.moved(), context.think()]);
  }
  await talk.closed();
  talk.expectCleanEnd(after);
}

/** Sends to a server that reads only now and then. */
async function slowServer(context) {
  const talk = await begin(context, { kind: "slow", ...(context.random.chance(0.3) ? LARGE : {}) });
  const count = context.random.between(20, 120);
  while (talk.sent < count && !talk.isClosed && !context.isWindingUp) await talk.send();
  await end(talk);
}

async function serverCloses(context) {
  const after = context.random.between(1, 20);
  const talk = await begin(context, { kind: "close", after });
  // More than it takes: what comes behind its Close frame is nobody's.
  while (talk.sent < after + 5 && !talk.isClosed) await talk.send();
  await talk.closed();
  talk.expectCleanEnd(after);
}

async function serverDrops(context) {
  const after = context.random.between(1, 20);
  const talk = await begin(context, { kind: "drop", after, ends: "anyhow" });
  while (talk.sent < after && !talk.isClosed) await talk.send();
  await talk.closed();
  if (talk.end.wasClean) talk.fail(`dropped by the server, but closed cleanly with ${talk.end.code}`);
}

/** Aborts with messages on their way in both directions. */
async function clientDrops(context) {
  const { random } = context;
  const kind = random.of(["echo", "stream", "slow"]);
  const talk = await begin(context, { kind, after: kind === "stream" ? 100 : 0, ends: "anyhow" });
  if (kind !== "stream") await chat(context, talk, random.between(0, 20));
  else await context.think();
  if (random.chance(0.3) && !talk.isClosed) talk.peer.close(1000, "");
  talk.peer.terminate();
  await talk.closed();
}

/** Gives up connecting at any moment. */
async function abortedHandshake(context) {
  const { random } = context;
  const server = context.server(random.of(SERVERS));
  const plan = { kind: "echo", seed: random.next(), ends: "anyhow" };
  const talk = new Talk(context.ledger, plan, `${context.name} to ${server.name}`);
  const abort = new AbortController();
  setTimeout(() => abort.abort(), random.of([0, 0, 1, 2, 5]));
  try {
    const { transport } = server;
    await talk.open(context.open, server.url, { transport, random, signal: abort.signal });
  } catch (error) {
    if (error.code !== "ERR_ABORTED") talk.fail(`connecting ended with ${error.code}: ${error.message}`);
    context.ledger.count("handshakes aborted");
    return;
  }
  talk.peer.terminate();
  await talk.closed();
}

async function refused(context) {
  const server = context.server(context.random.of(SERVERS));
  const on = { message() {}, pong() {}, error() {}, close() {} };
  const options = { transport: server.transport, random: context.random, on };
  try {
    await context.open(`${server.url}/nothing`, options);
    context.ledger.fail(`${server.name}: a handshake that should have been refused was not`);
  } catch (error) {
    if (error.code !== "ERR_HANDSHAKE_REFUSED" || error.status !== 404) {
      context.ledger.fail(
        `${server.name}: refusing ended with ${error.code} ${error.status}: ${error.message}`,
      );
    }
  }
}

/** Does nothing for long, but for pings of either side. */
async function idle(context) {
  const talk = await begin(context, { kind: "echo" });
  for (let rounds = context.random.between(1, 40); rounds > 0 && !context.isWindingUp; rounds--) {
    await context.sleep(500);
    talk.progress++;
  }
  await chat(context, talk, 3);
  await end(talk);
}

/** A connection that stays through the whole soak. @param place - Which one. */
export async function resident(context, place) {
  const servers = context.servers.filter(({ mode }) => SERVERS.includes(mode));
  const only = Object.assign(Object.create(context), { server: () => servers[place % servers.length] });
  const talk = await begin(only, { kind: "echo" });
  while (!context.isEnding && !talk.isClosed) {
    if (!context.isWindingUp) await chat(context, talk, talk.sent + context.random.between(1, 20));
    await talk.settled();
    context.atRest();
    await context.sleep(context.isWindingUp ? 50 : 500);
    talk.progress++;
  }
  await end(talk);
}

export const CONVERSATIONS = {
  echo,
  stream,
  slowReader,
  slowServer,
  serverCloses,
  serverDrops,
  clientDrops,
  abortedHandshake,
  refused,
  idle,
};
