#!/usr/bin/env node
/**
 * `npm run soak`: random clients against a server on each runtime, for as long as asked. Every byte that arrives is compared with what
 * it must be; every minute or so everything rests, and what is held then is counted. Leaves build/soak/report.txt and report.json.
 *
 * May be stopped for a while with its whole process group (SIGSTOP, SIGCONT): nothing here or in the programs takes that for silence.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { FAULTS } from "../test/soak/sabotage.mjs";
import { Authority, NO_OPENSSL } from "../test/tls/authority.mjs";
import { parseOrExit } from "./arguments.mjs";
import { build } from "./build.mjs";
import { RUNTIMES, runtimeCommand, runtimeVersion } from "./runtimes.mjs";
import { capture, ROOT } from "./setup/command.mjs";
import { setUpOrExit } from "./setup.mjs";
import { Member } from "./soak_member.mjs";
import { asText, judgeDescriptors, judgeMemory, MIN_RESTS, mib } from "./soak_report.mjs";

const HELP = `Usage: npm run soak [-- OPTIONS]

Random clients (Ringwire's on the same runtime, and the npm package ws on Node) against a Ringwire server: sizes, fragments,
compression, pings, slow readers, aborts, half-closes, churn. Fails when a message is lost or altered, when anything unexpected
happens, when connections or descriptors stay behind, and (with ${MIN_RESTS} rests or more) when memory grows.

  --minutes N         how long                                              (default: 1)
  --runtime NAME      bun, deno, node, or all, side by side                 (default: all)
  --transport NAME    uring, native or both, in the same processes          (default: both)
  --tls X             on, off or both, in the same processes; needs openssl (default: both)
  --compression X     on or off                                              (default: on)
  --cpu PERCENT       of one core for each runtime's three processes        (default: 35)
  --seed N            another seed lives other lives                        (default: the time)
  --lives NAMES       only these lives, commas between (test/soak/lives.mjs)
  --rests N           how often everything rests and is counted             (default: every minute, at least 3 times)
  --report FOLDER     where the report goes                                 (default: build/soak)
  --sabotage NAME     lets the server do wrong, to see it found: ${FAULTS.join(", ")}
  --help              this text`;

const SAMPLE_MS = 1_000;
/** No faster, however little CPU is used: on a machine that has none left, asking for more only makes everything late. */
const LEAST_PACE = 0.5;
const MOST_PACE = 30;
const NAMES = ["server", "client", "ws client"];
const SLOTS = { client: 24, "ws client": 12 };
const RESIDENTS = { client: 4, "ws client": 2 };
/** A life may be stuck for a minute before it says so. */
const REST_LIMIT_SECONDS = 90;

const options = parseOrExit(
  process.argv.slice(2),
  {
    minutes: "number",
    runtime: [...RUNTIMES, "all"],
    transport: ["uring", "native", "both"],
    tls: ["on", "off", "both"],
    compression: ["on", "off"],
    cpu: "number",
    seed: "number",
    lives: "text",
    rests: "number",
    report: "text",
    sabotage: FAULTS,
  },
  HELP,
);
if (options.rest.length > 0) {
  console.error(`Unknown argument "${options.rest[0]}".\n\n${HELP}`);
  process.exit(2);
}
const minutes = options.minutes ?? 1;
const rests = Math.round(options.rests ?? Math.max(3, minutes));
const seed = Math.floor(options.seed ?? Date.now() % 1_000_000_007);
const folder = options.report ?? join(ROOT, "build/soak");
const cpuShare = (options.cpu ?? 35) / 100;

await setUpOrExit();
const complaint = build("dist");
if (complaint !== undefined) {
  console.error(`${complaint}\nCannot soak: the build failed`);
  process.exit(1);
}

/** The words in front of a program: garbage must be collected where memory is judged. */
function collecting(runtime) {
  const words = runtimeCommand(runtime);
  if (runtime === "node") return [...words, "--expose-gc"];
  return runtime === "deno" ? [...words, "--v8-flags=--expose-gc"] : words;
}

const isCompressed = options.compression !== "off";
const transports =
  options.transport === "both" || !options.transport ? ["uring", "native"] : [options.transport];
const tls = whichTls();
const authority = tls === "off" ? undefined : new Authority();

/** Without openssl there are no certificates: asked for, that is an error; else it is said. */
function whichTls() {
  if (options.tls === "off" || NO_OPENSSL === undefined) return options.tls ?? "both";
  if (options.tls !== undefined) {
    console.error(`Cannot soak with TLS: ${NO_OPENSSL}`);
    process.exit(1);
  }
  console.log(`SKIPPED: TLS: ${NO_OPENSSL}`);
  return "off";
}

/** The files of what wss servers show. */
function identityFiles() {
  const identities = ["local", "renewed"].map((name) => authority?.identity(name));
  return identities.flatMap((identity) => (identity ? [identity.certFile, identity.keyFile] : [])).join(",");
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** One runtime's three processes. */
class Soak {
  failures = [];
  notes = [];
  members = [];
  #runtime;
  #startMs = performance.now();
  #cpuSeconds = 0;
  #awakeSeconds = 0;
  /** Slow at first: three soaks that start side by side must not drown the machine before they know what it can do. */
  #pace = 5;

  constructor(runtime) {
    this.#runtime = runtime;
  }

  #member(name, runtime, program, args) {
    const words = [...collecting(runtime), join(ROOT, "test/soak", program), ...args.map(String)];
    const fail = (text) => this.#fail(text);
    const member = new Member(name, words, {}, fail, (text) => this.notes.push(text));
    this.members.push(member);
    return member;
  }

  #fail(what) {
    const text = `after ${((performance.now() - this.#startMs) / 1_000).toFixed(1)} s: ${what}`;
    this.failures.push(text);
    if (this.failures.length <= 20) console.error(`${this.#runtime}: ${text}`);
  }

  async #start() {
    const module = join(ROOT, this.#runtime === "node" ? "dist/mod.js" : "src/mod.ts");
    const kind = isCompressed ? "compressed" : "plain";
    const server = this.#member("server", this.#runtime, "server.mjs", [
      module,
      transports.join(","),
      kind,
      options.sabotage ?? "",
      identityFiles(),
      tls,
    ]);
    const ready = await server.hear("ready", 30);
    if (ready === undefined) throw new Error("the server did not start");
    this.notes.push(...ready.transports);
    const places = JSON.stringify(ready.places);
    const more = (name, at) => [
      transports.join(","),
      places,
      seed + at,
      SLOTS[name],
      RESIDENTS[name],
      kind,
      options.lives ?? "",
      authority?.rootFile ?? "",
    ];
    this.#member("client", this.#runtime, "client.mjs", [module, ...more("client", 0)]);
    this.#member("ws client", "node", "client.mjs", ["ws", ...more("ws client", 500_000)]);
    for (const member of this.#clients) {
      if ((await member.hear("ready", 30)) === undefined) throw new Error(`the ${member.name} did not start`);
      member.order("pace", this.#pace);
    }
  }

  get #server() {
    return this.members[0];
  }

  get #clients() {
    return this.members.slice(1);
  }

  /** Lets it live for a while, and holds it to its share of a core. */
  async #live(seconds) {
    let before = this.members.map((member) => member.look()?.cpuSeconds ?? 0);
    // Seconds are counted one by one: when the whole soak is stopped for a while, they are not over at once.
    for (let left = seconds * 1_000; left > 0 && this.#isRunning; left -= SAMPLE_MS) {
      const beginMs = performance.now();
      await pause(Math.min(SAMPLE_MS, left));
      const elapsed = (performance.now() - beginMs) / 1_000;
      const after = this.members.map((member) => member.look()?.cpuSeconds ?? 0);
      const used = after.reduce((sum, value, index) => sum + value - before[index], 0);
      before = after;
      // Stopped meanwhile: says nothing.
      if (elapsed > 3) continue;
      this.#cpuSeconds += used;
      this.#awakeSeconds += elapsed;
      const ratio = Math.min(2, Math.max(0.5, used / elapsed / cpuShare));
      this.#pace = Math.min(MOST_PACE, Math.max(LEAST_PACE, this.#pace * ratio ** 0.5));
      for (const member of this.#clients) member.order("pace", this.#pace.toFixed(3));
    }
  }

  get #isRunning() {
    return this.members.every(({ exitCode }) => exitCode === undefined);
  }

  /** Everything but the residents closes, garbage is collected, and what is left is counted. */
  async #rest(residents) {
    for (const member of this.#clients) member.order("rest");
    const inside = new Map();
    for (const member of this.#clients) {
      inside.set(member, (await member.hear("rest", REST_LIMIT_SECONDS))?.memory);
      if (inside.get(member) !== undefined) continue;
      member.order("state");
      const state = await member.hear("state", 5);
      this.#fail(
        `the ${member.name} does not come to rest: ${(state?.unfinished ?? ["no answer"]).join("; ")}`,
      );
    }
    this.#server.order("rest", residents);
    inside.set(this.#server, (await this.#server.hear("rest", 30))?.memory);
    if (inside.get(this.#server) === undefined) this.#fail("the server does not come to rest");
    const at = (performance.now() - this.#startMs) / 1_000;
    for (const member of this.members) {
      const seen = member.look();
      if (seen !== undefined)
        member.rests.push({ at, bytes: seen.bytes, descriptors: seen.descriptors, ...inside.get(member) });
    }
  }

  /** A line for whoever watches. */
  #tell(rest) {
    const verified = this.members.reduce((sum, { counts }) => sum + (counts["messages verified"] ?? 0), 0);
    const bytes = this.members.map((member) => mib(member.rests.at(-1)?.bytes)).join(", ");
    console.log(
      `${this.#runtime}: rest ${rest} of ${rests}, ${verified} messages verified; RSS of ${NAMES.join(", ")}: ${bytes}`,
    );
  }

  async #stop() {
    for (const member of this.#clients) member.order("stop");
    for (const member of this.#clients) await this.#see(member);
    this.#server.order("rest", 0);
    await this.#server.hear("rest", 30);
    this.#server.order("stop");
    await this.#see(this.#server);
  }

  /** A process that has closed everything ends by itself. */
  async #see(member) {
    if ((await member.hear("end", REST_LIMIT_SECONDS)) === undefined) {
      this.#fail(`the ${member.name} does not finish (exit code ${member.exitCode})`);
    } else if (!(await member.ended(10))) {
      this.#fail(`the ${member.name} has closed everything and does not end`);
    } else if (member.exitCode !== 0) {
      this.#fail(`the ${member.name} ended with exit code ${member.exitCode}`);
    }
  }

  async run() {
    try {
      await this.#start();
      const residents = Object.values(RESIDENTS).reduce((sum, count) => sum + count, 0);
      for (let rest = 0; rest < rests && this.#isRunning; rest++) {
        await this.#live((minutes * 60) / rests);
        await this.#rest(residents);
        for (const member of this.#clients) member.order("go");
        this.#tell(rest + 1);
      }
      for (const { name, exitCode } of this.members) {
        if (exitCode !== undefined) this.#fail(`the ${name} ended in the middle, with ${exitCode}`);
      }
      await this.#stop();
    } catch (error) {
      this.#fail(error.message);
    } finally {
      for (const member of this.members) member.kill();
    }
    return this.#report();
  }

  #report() {
    const members = this.members.map((member) => {
      const memory = judgeMemory(member.rests.map(({ at, bytes }) => ({ at, value: bytes })));
      const descriptors = judgeDescriptors(member.rests.map((rest) => rest.descriptors));
      // How ws and Node's zlib hold memory is not ours to judge.
      if (memory.wrong && member.name !== "ws client") this.#fail(`${member.name}: ${memory.wrong}`);
      if (descriptors.wrong) this.#fail(`${member.name}: ${descriptors.wrong}`);
      const { name, counts, mostBytes, mostDescriptors } = member;
      return {
        name,
        counts,
        rests: member.rests.length,
        points: member.rests,
        memory,
        descriptors,
        mostBytes,
        mostDescriptors,
      };
    });
    const verified = members.reduce((sum, { counts }) => sum + (counts["messages verified"] ?? 0), 0);
    if (verified === 0) this.#fail("not one message was verified");
    return {
      runtime: this.#runtime,
      version: runtimeVersion(this.#runtime),
      transports,
      isCompressed,
      tls,
      seed,
      seconds: (performance.now() - this.#startMs) / 1_000,
      cpuShare: this.#cpuSeconds / Math.max(1, this.#awakeSeconds),
      lastPace: this.#pace,
      failures: this.failures,
      notes: this.notes,
      members,
    };
  }
}

const runtimes = options.runtime && options.runtime !== "all" ? [options.runtime] : RUNTIMES;
const runs = await Promise.all(runtimes.map((runtime) => new Soak(runtime).run()));
authority?.remove();
const commit = capture("git", ["rev-parse", "--short", "HEAD"]).stdout.trim();
const versions = runs.map(({ runtime, version }) => `${runtime} ${version ?? "?"}`).join(", ");
const title = `Ringwire ${commit} on ${versions}, Linux ${release()}: soak, seed ${seed}`;
const text = asText(title, runs);
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, "report.txt"), text);
writeFileSync(join(folder, "report.json"), `${JSON.stringify({ title, runs }, undefined, 1)}\n`);
console.log(`\n${text}`);
process.exitCode = runs.some(({ failures }) => failures.length > 0) ? 1 : 0;
