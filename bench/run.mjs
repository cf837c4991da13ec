#!/usr/bin/env node
/**
 * `npm run bench`: measures our servers against their peers, prints tables, keeps the figures under
 * bench/results and renews bench/RESULTS.md.
 */
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseOrExit } from "../scripts/arguments.mjs";
import { RUNTIMES } from "../scripts/runtimes.mjs";
import { capture, ROOT, tail } from "../scripts/setup/command.mjs";
import { missingOpenssl } from "../scripts/setup/proof_tools.mjs";
import { setUpOrExit } from "../scripts/setup.mjs";
import { Authority } from "../test/tls/authority.mjs";
import { compare, repeatability } from "./compare.mjs";
import { missingFiles, runIdle } from "./idle.mjs";
import { takePercentiles } from "./latencies.mjs";
import { describeMachine } from "./machine.mjs";
import { buildNativePeers } from "./native_peers.mjs";
import { participantGroups } from "./participants.mjs";
import { IS_PINNED } from "./program.mjs";
import { benchProgram, buildPrograms } from "./programs.mjs";
import { figureText, repeatabilityText, resultText, writeResults } from "./report.mjs";
import { keepResult, readResults } from "./results.mjs";
import { buildLoads, loadProgram } from "./rig.mjs";
import { runRounds } from "./rounds.mjs";
import { Speed } from "./speed.mjs";
import { MICRO_BENCHES, WORKLOADS } from "./workloads.mjs";

const DEFAULT_PAIRS = 6;
const DEFAULT_SECONDS = 0.15;
const DEFAULT_WARMUP_SECONDS = 0.08;

const HELP = `Usage: npm run bench [-- WORKLOAD ... OPTIONS]

Workloads (default: all but the micro benches):
${Object.entries({ ...WORKLOADS, ...MICRO_BENCHES })
  .map(([name, { title }]) => `  ${name.padEnd(20)}${title}`)
  .join("\n")}

  --pairs N         slices of each program, A B A B                    (default: ${DEFAULT_PAIRS})
  --seconds S       how long a slice is                                (default: ${DEFAULT_SECONDS}, some longer)
  --runtime NAME    only node, bun or deno, and its own peer; kept under build/bench only
  --compare         runs nothing: says how far ratios are from those of the run before
  --smoke           everything tiny, to see that it runs; nothing is kept
  --help            this text`;

const options = parseOrExit(
  process.argv.slice(2),
  { pairs: "number", seconds: "number", runtime: RUNTIMES, compare: "flag", smoke: "flag" },
  HELP,
);
const isSmoke = options.smoke === true;
const runtimes = options.runtime ? [options.runtime] : ["bun", "deno", "node"];
// Kept are whole runs only: a partial one would replace the figures of the other runtimes.
const isKept = !isSmoke && options.runtime === undefined;
const directory = join(ROOT, isKept ? "bench/results" : "build/bench/partial");
/** Where a result goes that is replaced. */
const formerDirectory = join(ROOT, "build/bench", isKept ? "former" : "former-partial");
const command = ["npm run bench --", ...process.argv.slice(2)].join(" ").replace(/ --$/, "");

const chosen = options.rest.length > 0 ? options.rest : defaultWorkloads();
for (const name of chosen) {
  if (!WORKLOADS[name] && !MICRO_BENCHES[name]) {
    console.error(`Unknown workload "${name}".\n\n${HELP}`);
    process.exit(2);
  }
}

function defaultWorkloads() {
  const names = Object.keys(WORKLOADS);
  if (!isSmoke) return names;
  const micro = Object.keys(MICRO_BENCHES).filter(
    (name) => existsSync(join(ROOT, MICRO_BENCHES[name].source)) && !MICRO_BENCHES[name].isForNode,
  );
  return [...names.filter((name) => WORKLOADS[name].smoke), ...micro];
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

async function runWorkload(name, hasShim) {
  const workload = WORKLOADS[name];
  const identity = identityFor(workload);
  const machine = describeMachine();
  const failures = new Set();
  const seconds = options.seconds ?? workload.seconds ?? DEFAULT_SECONDS;
  const slice = { warmupSeconds: DEFAULT_WARMUP_SECONDS, seconds };
  const progress = progressOf(name, workload);
  const how = {
    pairs: Math.ceil(options.pairs ?? (isSmoke ? 1 : (workload.pairs ?? DEFAULT_PAIRS))),
    slice: isSmoke ? { warmupSeconds: 0.01, seconds: 0.02 } : slice,
    isSmoke,
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
  const cores = IS_PINNED
    ? Array.from({ length: Math.min(4, availableParallelism()) }, (_, core) => core)
    : [0];
  const speed = await Speed.start(loadProgram("speed"), cores);
  const participants = [];
  const rounds = [];
  try {
    for (const runtime of runtimesFor(name)) {
      const groups = participantGroups(workload, { runtime, hasShim, identity });
      participants.push(...groups.flat());
      const run = workload.program === "idle" ? runIdle : runRounds;
      rounds.push(...(await run({ ...workload, load }, groups, { ...how, speed })));
    }
  } finally {
    await speed.stop();
    progress.end();
  }
  const percentilesNs = takePercentiles(rounds);
  // Hundredths of a second measure compilers warming up: no ratios from that.
  const comparisons = isSmoke ? [] : compare(workload, participants, rounds);
  return {
    workload: name,
    command,
    isPinned: IS_PINNED,
    ...slice,
    machine,
    comparisons,
    failures: [...failures],
    percentilesNs,
    rounds,
  };
}

function runMicroBench(name, hasShim) {
  const { source, needsShim, isForNode } = MICRO_BENCHES[name];
  const failures = [];
  const outputs = {};
  const machine = describeMachine();
  if (!existsSync(join(ROOT, source))) failures.push(`this checkout has no ${source}`);
  else if (needsShim && !hasShim) failures.push("needs the io_uring shim");
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
  return { workload: name, command, machine, outputs, failures };
}

if (options.compare) {
  const rows = repeatability(readResults(formerDirectory), readResults(directory));
  console.log(repeatabilityText(rows.filter(({ workload }) => chosen.includes(workload))));
  process.exit(0);
}

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

let failed = 0;
for (const name of chosen) {
  const missing = missingFor(WORKLOADS[name]);
  if (missing !== undefined) {
    console.error(`\n${name}: SKIPPED: ${missing}`);
    continue;
  }
  console.log(`\n${name}: ${(WORKLOADS[name] ?? MICRO_BENCHES[name]).title}`);
  const isMicro = MICRO_BENCHES[name] !== undefined;
  const result = isMicro
    ? runMicroBench(name, shimReason === undefined)
    : await runWorkload(name, shimReason === undefined);
  console.log(isMicro ? Object.values(result.outputs).join("\n") : `\n${resultText(result)}`);
  for (const text of result.failures) console.error(`failed: ${text}`);
  failed += result.failures.length;
  keepResult(result, directory, formerDirectory);
  // Each time, so that what has been measured is written down however this ends.
  if (isKept) writeResults(directory);
}
authority?.remove();
if (isKept) console.log("\nKept in bench/results, summed up in bench/RESULTS.md.");
process.exitCode = failed > 0 ? 1 : 0;
