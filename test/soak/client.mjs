/**
 * The client side of a soak: lives one life after another (lives.mjs, raw_talks.mjs) on a number of slots, at the pace it is told.
 *
 * Arguments: Ringwire's module, or "ws" for the npm package; transports with commas between; the server's places as JSON; a seed; slots;
 * residents; "compressed" or "plain"; lives to live, with commas between ("" = all); the file of the root to trust ("" = no TLS).
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { CONVERSATIONS, LIVES, resident } from "./lives.mjs";
import { collectGarbage, Ledger, memory, obey, say } from "./process_side.mjs";
import { Random } from "./random.mjs";
import { isRawTalkFor, RAW_SERVERS, RAW_TALKS } from "./raw_talks.mjs";
import { ringwireOpener } from "./ringwire_peer.mjs";

const [, , module, transports, places, seed, slots, residents, compressed, only, caFile] = process.argv;
const isWs = module === "ws";
const isCompressed = compressed === "compressed";
const ca = caFile ? readFileSync(caFile, "utf8") : undefined;
const ledger = new Ledger(isWs ? "ws client" : "client");
const loops = new Map();

/** ws is loaded by Node alone: what Bun gives for that name is not the npm package. */
async function opener() {
  if (isWs) return (await import("./ws_peer.mjs")).wsOpener(isCompressed, ca);
  const ringwire = await import(pathToFileURL(module).href);
  for (const transport of transports.split(",")) loops.set(transport, new ringwire.Loop({ transport }));
  return ringwireOpener(ringwire, loops, isCompressed, ca);
}

/** Seconds without anything happening after which a connection is stuck. Counted, not timed: the soak may be stopped meanwhile. */
const STUCK_SECONDS = 60;
/** The clock is looked at so often, and has jumped when it was this much late. */
const TICK_MS = 100;
const JUMP_MS = 250;
/** A thought takes about as long, times the pace that scripts/soak.mjs says. */
const THINK_MS = 20;

/** What lives see of this process. */
class Context {
  isWindingUp = false;
  isEnding = false;
  ledger = ledger;
  open;
  servers = JSON.parse(places);
  /** Multiplies every thought. */
  pace = 5;
  /** The lives that are being lived, by slot: not each of them is watched. */
  lives = new Map();
  #watched = new Map();
  #sleepers = new Set();

  /** Takes a server of a kind, for contexts that have their own randomness. */
  server(mode) {
    return this.random.of(this.servers.filter((server) => server.mode === mode));
  }

  /** Sleeps; not any more once everything winds up. An arrow, because slots call it on contexts of their own. */
  sleep = (ms) =>
    new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#sleepers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, this.isWindingUp ? Math.min(ms, 5) : ms);
      this.#sleepers.add(wake);
    });

  watch = (talk) => {
    this.#watched.set(talk, { progress: -1, seconds: 0 });
  };

  windUp() {
    this.isWindingUp = true;
    for (const wake of this.#sleepers) wake();
  }

  /** Called once a second: finds what has stood still for long. */
  look() {
    for (const [talk, seen] of this.#watched) {
      if (talk.isClosed) this.#watched.delete(talk);
      else if (talk.progress !== seen.progress)
        this.#watched.set(talk, { progress: talk.progress, seconds: 0 });
      else if (++seen.seconds === STUCK_SECONDS) {
        talk.fail(`stuck: ${talk.state}`);
        this.#watched.delete(talk);
        talk.peer?.terminate();
      }
    }
  }

  /** What has not ended, for messages. */
  get unfinished() {
    const talks = [...this.#watched.keys()].filter((talk) => !talk.isClosed);
    return [
      ...talks.map((talk) => `${talk.name}: ${talk.state}`),
      ...[...this.lives].map(([slot, life]) => `slot ${slot} lives ${life}`),
    ];
  }
}

let clockJumps = 0;
let lastTickMs = performance.now();

function tick() {
  const nowMs = performance.now();
  if (nowMs - lastTickMs > TICK_MS + JUMP_MS) clockJumps++;
  lastTickMs = nowMs;
}

const context = new Context();
context.open = await opener();
const resting = [];

/** A raw talk as `Context.look` wants it: it moves when its peer does. */
class RawTalk {
  isClosed = false;
  name;
  peer;

  constructor(name) {
    this.name = name;
  }

  get progress() {
    return this.peer?.progress ?? 0;
  }

  get state() {
    return this.peer?.state ?? "not begun";
  }

  fail(text) {
    ledger.fail(`${this.name}: ${text}`);
  }
}

/** One slot's own context: its randomness, and its thoughts. */
function slotContext(slot) {
  const random = new Random(Number(seed) + slot * 7_919);
  return Object.assign(Object.create(context), {
    name: `slot ${slot}`,
    random,
    atRest() {},
    think() {
      return context.sleep(random.between(0, 2 * THINK_MS) * context.pace);
    },
  });
}

async function liveOnce(own, life) {
  ledger.count(`life ${life}`);
  if (life in CONVERSATIONS) {
    await CONVERSATIONS[life](own);
    return;
  }
  const mode = own.random.of(RAW_SERVERS[life]);
  const fitting = own.servers.filter((place) => place.mode === mode && isRawTalkFor(life, place));
  if (fitting.length === 0) return;
  const server = own.random.of(fitting);
  const jumps = clockJumps;
  const faults = [];
  const fail = (text) => faults.push(`${server.name}: ${text}`);
  const count = (name, by) => ledger.count(name, by);
  const talk = new RawTalk(`${own.name} to ${server.name} ${life}`);
  const connected = (peer) => {
    talk.peer = peer;
  };
  context.watch(talk);
  try {
    await RAW_TALKS[life]({ server, connected, ca, random: own.random, think: own.think, fail, count });
  } finally {
    talk.isClosed = true;
  }
  if (server.mode === "strict") {
    // Its deadlines are short, and pass at once when the soak was stopped in between: that proves nothing.
    await new Promise((resolve) => setTimeout(resolve, 2 * TICK_MS));
    if (clockJumps !== jumps) {
      ledger.count("not judged, the clock jumped");
      return;
    }
  }
  for (const fault of faults) ledger.fail(fault);
}

/** Rests while everything winds up. Returns whether to go on afterwards. */
async function rest() {
  if (context.isEnding) return false;
  await new Promise((resolve) => {
    resting.push(resolve);
    tellIfAtRest();
  });
  return !context.isEnding;
}

async function runSlot(slot, table) {
  const own = slotContext(slot);
  for (;;) {
    if (context.isWindingUp && !(await rest())) return;
    const life = own.random.weighted(table);
    context.lives.set(slot, life);
    try {
      await liveOnce(own, life);
    } catch (error) {
      ledger.fail(`${own.name}: ${error.code ?? ""} ${error.stack}`);
    }
    context.lives.delete(slot);
    await own.think();
  }
}

async function runResident(place) {
  const own = slotContext(1_000 + place);
  own.name = `resident ${place}`;
  own.atRest = () => {
    if (!context.isWindingUp) return;
    residentsAtRest.add(place);
    tellIfAtRest();
  };
  try {
    await resident(own, place);
  } catch (error) {
    ledger.fail(`${own.name}: ${error.stack}`);
  }
  residentsAtRest.add(place);
  tellIfAtRest();
}

const residentsAtRest = new Set();
let isRestAwaited = false;

async function tellIfAtRest() {
  if (!isRestAwaited || resting.length < Number(slots) || residentsAtRest.size < Number(residents)) return;
  isRestAwaited = false;
  await collectGarbage();
  const transportConnections = [...loops.values()].map((loop) => loop.stats.connections);
  say("rest", { counts: ledger.counts, transportConnections, memory: memory() });
}

const wanted =
  only === "" ? LIVES : Object.fromEntries(only.split(",").map((life) => [life, LIVES[life] ?? 1]));
const running = [];
for (let slot = 0; slot < Number(slots); slot++) running.push(runSlot(slot, wanted));
for (let place = 0; place < Number(residents); place++) running.push(runResident(place));
const looking = setInterval(() => context.look(), 1_000);
const ticking = setInterval(tick, TICK_MS);

const ORDERS = {
  pace(text) {
    context.pace = Number(text);
  },
  rest() {
    residentsAtRest.clear();
    isRestAwaited = true;
    context.windUp();
    tellIfAtRest();
  },
  go() {
    context.isWindingUp = false;
    for (const wake of resting.splice(0)) wake();
  },
  state() {
    say("state", { unfinished: context.unfinished });
  },
  async stop() {
    context.isEnding = true;
    context.windUp();
    for (const wake of resting.splice(0)) wake();
    await Promise.all(running);
    clearInterval(looking);
    clearInterval(ticking);
    for (const loop of loops.values()) loop.close();
    say("end", { counts: ledger.counts, memory: memory() });
    deafen();
  },
};

const deafen = obey((order, [argument]) => ORDERS[order]?.(argument));
say("ready");
