#!/usr/bin/env node
/**
 * `npm run bench`: measures our servers against their peers, prints tables, keeps the figures under
 * bench/results and renews bench/RESULTS.md.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseOrExit } from "../scripts/arguments.mjs";
import { RUNTIMES } from "../scripts/runtimes.mjs";
import { capture, ROOT, tail } from "../scripts/setup/command.mjs";
import { missingOpenssl } from "../scripts/setup/proof_tools.mjs";
import { setUpOrExit } from "../scripts/setup.mjs";
import { Authority } from "../test/tls/authority.mjs";
import { compare } from "./compare.mjs";
import { missingFiles, runIdle } from "./idle.mjs";
import { takePercentiles } from "./latencies.mjs";
import { describeMachine } from "./machine.mjs";
import { MICRO_BENCHES } from "./micro_benches.mjs";
import { buildNativePeers } from "./native_peers.mjs";
import { unexplained, writePage } from "./page.mjs";
import { participantGroups } from "./participants.mjs";
import { IS_PINNED } from "./program.mjs";
import { benchProgram, buildPrograms } from "./programs.mjs";
import { measureTwice, repetitionText } from "./repetition.mjs";
import { resultText } from "./report.mjs";
import { keepResult, readResult } from "./results.mjs";
import { buildLoads, loadProgram } from "./rig.mjs";
import { runRounds } from "./rounds.mjs";
import { Speed } from "./speed.mjs";
import { figureText } from "./table.mjs";
import { WORKLOADS } from "./workloads.mjs";

/** At least so many rounds; and at most, where ratios are not well known. */
const PAIRS = { least: 6, most: 30 };
const DEFAULT_SECONDS = 0.15;
const WARMUP_SECONDS = 0.08;
const FIRST_SECONDS = 0.3;
/** Between two starts: ports and memory of those that ended. */
const PAUSE_MS = 50;
/** How long a workload takes of which nothing is known yet. */
const USUAL_SECONDS = 45;

const HELP = `Usage: npm run bench [-- WORKLOAD ... OPTIONS]

Workloads (default: all but ktls):
${Object.entries({ ...WORKLOADS, ...MICRO_BENCHES })
  .map(([name, { title }]) => `  ${name.padEnd(20)}${title}`)
  .join("\n")}

  --pairs N         slices of each program, A B A B                    (default: ${PAIRS.least} to ${PAIRS.most}, until
                    the median is known within 4 %)
  --seconds S       how long a slice is                                (default: ${DEFAULT_SECONDS}, some longer)
  --runtime NAME    only node, bun or deno, and its own peer; kept under build/bench only
  --twice           all of it twice in a row, and which ratios are within 10 % of each other
  --smoke           everything tiny, to see that it runs; nothing is kept
  --help            this text`;

const options = parseOrExit(
  process.argv.slice(2),
  { pairs: "number", seconds: "number", runtime: RUNTIMES, twice: "flag", smoke: "flag" },
  HELP,
);
const isSmoke = options.smoke === true;
const runtimes = options.runtime ? [options.runtime] : ["bun", "deno", "node"];
// Kept are whole runs only: a partial one would replace the figures of the other runtimes.
const isKept = !isSmoke && options.runtime === undefined;
const directory = join(ROOT, isKept ? "bench/results" : "build/bench/partial");

/** What measures a workload again, the same way. */
function commandOf(name) {
  const words = ["pairs", "seconds", "runtime"].flatMap((option) =>
    options[option] === undefined ? [] : [`--${option}`, options[option]],
  );
  return ["npm run bench --", name, ...words, ...(options.twice ? ["--twice"] : [])].join(" ");
}

const chosen = options.rest.length > 0 ? options.rest : defaultWorkloads();
for (const name of chosen) {
  if (!WORKLOADS[name] && !MICRO_BENCHES[name]) {
    console.error(`Unknown workload "${name}".\n\n${HELP}`);
    process.exit(2);
  }
}

function defaultWorkloads() {
  const names = Object.keys(WORKLOADS);
  const micro = Object.keys(MICRO_BENCHES).filter((name) => !MICRO_BENCHES[name].isForNode);
  return [...(isSmoke ? names.filter((name) => WORKLOADS[name].smoke) : names), ...micro];
}

/** That a workload runs shows on one runtime, each on another; the first shows that all three run. */
function runtimesFor(name) {
  const index = chosen.indexOf(name);
  return isSmoke && chosen.length > 1 && index > 0 ? [runtimes[index % runtimes.length]] : runtimes;
}

/** The certificate that every server shows; made when the first workload wants it. */
let authority;

function identityFor(workload) {
  if (!workload.needsTls) return undefined;
  authority ??= new Authority();
  return authority.identity("local");
}

/** What this machine lacks for a workload, if anything. */
function missingFor(workload) {
  if (workload?.needsTls) return missingOpenssl();
  return workload?.program === "idle" && !isSmoke ? missingFiles(workload) : undefined;
}

/** Shows on one line of a terminal what is being measured. */
function progressOf(workloadName, workload) {
  const { isTTY } = process.stderr;
  return {
    show(name, report) {
      const text = `${workloadName}  ${name}  ${figureText(workload.figures[0], report)}`;
      process.stderr.write(isTTY ? `\r\u001b[K${text}` : ".");
    },
    end: () => process.stderr.write(isTTY ? "\r\u001b[K" : "\n"),
  };
}

async function runWorkload(name, { hasShim, speed }) {
  const workload = WORKLOADS[name];
  const identity = identityFor(workload);
  const failures = new Set();
  const progress = progressOf(name, workload);
  const slice = {
    warmupSeconds: WARMUP_SECONDS,
    seconds: options.seconds ?? workload.seconds ?? DEFAULT_SECONDS,
  };
  const pairs = Math.ceil(options.pairs ?? workload.pairs ?? PAIRS.least);
  const most = Math.ceil(options.pairs ?? PAIRS.most);
  const full = {
    pairs,
    most,
    slice,
    firstSeconds: workload.firstSeconds ?? FIRST_SECONDS,
    pauseMs: PAUSE_MS,
  };
  const tiny = {
    pairs: 1,
    most: 1,
    slice: { warmupSeconds: 0.01, seconds: 0.02 },
    firstSeconds: 0,
    pauseMs: 0,
  };
  const how = {
    ...(isSmoke ? tiny : full),
    isSmoke,
    speed,
    progress: progress.show,
    failed(message) {
      failures.add(message);
      console.error(`\n${message}`);
    },
  };
  // That they run at all shows on few connections.
  const { connections } = workload.load;
  const load = {
    ...workload.load,
    ...(isSmoke && connections ? { connections: Math.min(10, connections) } : {}),
  };
  const participants = [];
  const times = options.twice ? [[], []] : [[]];
  const run = workload.program === "idle" ? runIdle : runRounds;
  for (const runtime of runtimesFor(name)) {
    for (const group of participantGroups(workload, { runtime, hasShim, identity })) {
      participants.push(...group);
      const measure = () => run({ ...workload, load }, group, how);
      const comparisonsOf = (rounds) => compare(workload, group, rounds);
      try {
        const measured = options.twice ? await measureTwice(measure, comparisonsOf) : [await measure()];
        for (const [index, rounds] of measured.entries()) times[index].push(...rounds);
      } catch (error) {
        // What the others have to show is not to be lost.
        how.failed(`${runtime}: ${error.message}`);
      }
    }
  }
  progress.end();
  const rounds = times.flat();
  const percentilesNs = takePercentiles(rounds);
  // Hundredths of a second measure compilers warming up: no ratios from that.
  const comparisonsOf = (some) => (isSmoke ? [] : compare(workload, participants, some));
  return {
    isPinned: IS_PINNED,
    ...how.slice,
    pairs: how.pairs,
    comparisons: comparisonsOf(rounds),
    ...(options.twice ? { twice: times.map(comparisonsOf) } : {}),
    failures: [...failures],
    percentilesNs,
    rounds,
  };
}

function runMicroBench(name, { hasShim }) {
  const { source, needsShim, isForNode } = MICRO_BENCHES[name];
  const failures = [];
  const outputs = {};
  if (needsShim && !hasShim) failures.push("needs the io_uring shim");
  else {
    // That they run at all shows on one runtime; the suite covers the others.
    const own = isForNode ? ["node"] : runtimes;
    for (const runtime of isSmoke ? own.slice(0, 1) : own) {
      const { command: words, environment } = benchProgram(runtime, source);
      const [program, ...args] = isSmoke ? [...words, "--smoke"] : words;
      const result = capture(program, args, {
        env: { ...process.env, ...environment, NO_COLOR: "1" },
        timeout: 300_000,
      });
      outputs[runtime] = result.stdout;
      if (result.status !== 0) failures.push(`${runtime}: ${tail(result.stderr, 3)}`);
    }
  }
  return { outputs, failures };
}

/** How long the chosen workloads take, judging by the last time. */
function expectedSeconds() {
  const seconds = chosen.map((name) => {
    const { tookSeconds = USUAL_SECONDS, pairs, twice } = readResult(directory, name) ?? {};
    const times = (options.twice ? 2 : 1) / (twice ? 2 : 1);
    return tookSeconds * times * (pairs && options.pairs ? options.pairs / pairs : 1);
  });
  return seconds.reduce((sum, one) => sum + one, 0);
}

const minutes = (seconds) => `${Math.ceil(seconds / 60)} min`;

const shimReason = await setUpOrExit();
const complaint = buildPrograms();
if (complaint !== undefined) {
  console.error(complaint);
  process.exit(1);
}
const loadReason = buildLoads();
if (loadReason !== undefined) {
  console.error(`bench: the load generator needs Linux, gcc, make and liburing-dev:\n${loadReason}`);
  // Where the tools are missing, a smoke run has nothing to prove.
  process.exit(isSmoke && shimReason !== undefined ? 0 : 1);
}
const nativeReason = isSmoke ? undefined : buildNativePeers();
if (nativeReason !== undefined) console.error(`bench: without peers in Rust and C++: ${nativeReason}`);
if (!IS_PINNED) console.error("bench: fewer than two cores, or no taskset: server and load share a core");
process.on("SIGINT", () => process.exit(130));
process.on("SIGTERM", () => process.exit(143));

if (!isSmoke) console.log(`This takes about ${minutes(expectedSeconds())}.`);
const cores = IS_PINNED
  ? Array.from({ length: Math.min(4, availableParallelism()) }, (_, core) => core)
  : [0];
const speed = await Speed.start(loadProgram("speed"), cores);
const means = { hasShim: shimReason === undefined, speed };
const beganMs = performance.now();
const failures = [];
const complaints = [];
const results = [];
for (const name of chosen) {
  const isMicro = MICRO_BENCHES[name] !== undefined;
  console.log(`\n${name}: ${(isMicro ? MICRO_BENCHES : WORKLOADS)[name].title}`);
  const about = { workload: name, command: commandOf(name), machine: describeMachine() };
  const skipped = missingFor(WORKLOADS[name]);
  const startMs = performance.now();
  const measured =
    skipped !== undefined
      ? { skipped, failures: [] }
      : isMicro
        ? runMicroBench(name, means)
        : await runWorkload(name, means);
  const result = { ...about, tookSeconds: Math.ceil((performance.now() - startMs) / 1000), ...measured };
  if (skipped !== undefined) console.error(`SKIPPED: ${skipped}`);
  else console.log(isMicro ? Object.values(result.outputs).join("\n") : `\n${resultText(result)}`);
  for (const text of result.failures) console.error(`failed: ${text}`);
  failures.push(...result.failures.map((text) => `${name}: ${text}`));
  complaints.push(...unexplained(result));
  results.push(result);
  // Where nothing was measured, the figures of last time stay.
  if (result.rounds?.length === 0) continue;
  keepResult(result, directory);
  // Each time, so that what has been measured is written down however this ends.
  if (isKept) writePage(directory);
}
await speed.stop();
authority?.remove();
console.log(`\nThat took ${minutes((performance.now() - beganMs) / 1000)}.`);
if (options.twice) console.log(repetitionText(results));
if (isKept) console.log("Kept in bench/results, summed up in bench/RESULTS.md.");
for (const text of complaints) console.error(`not explained yet (bench/explanations.mjs): ${text}`);
for (const text of failures) console.error(`failed: ${text}`);
process.exitCode = failures.length > 0 ? 1 : 0;
