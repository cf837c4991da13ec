#!/usr/bin/env node
/**
 * `npm run bench`: measures our servers against their peers, prints tables, keeps the figures under
 * bench/results and renews bench/RESULTS.md.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseOrExit } from "../scripts/arguments.mjs";
import { build } from "../scripts/build.mjs";
import { programCommand, programEnvironment, RUNTIMES, runtimeCommand } from "../scripts/runtimes.mjs";
import { capture, ROOT, tail } from "../scripts/setup/command.mjs";
import { missingOpenssl } from "../scripts/setup/proof_tools.mjs";
import { setUpOrExit } from "../scripts/setup.mjs";
import { Authority } from "../test/tls/authority.mjs";
import { compare } from "./compare.mjs";
import { describeMachine } from "./machine.mjs";
import { buildLoad, IS_PINNED, measure } from "./measure.mjs";
import { listParticipants } from "./participants.mjs";
import { resultText, writeResults } from "./report.mjs";
import { MICRO_BENCHES, WORKLOADS } from "./workloads.mjs";

const HELP = `Usage: npm run bench [-- WORKLOAD ... OPTIONS]

Workloads (default: all but the micro benches):
${Object.entries({ ...WORKLOADS, ...MICRO_BENCHES })
  .map(([name, { title }]) => `  ${name.padEnd(18)}${title}`)
  .join("\n")}

  --pairs N         rounds, in each of which every program runs        (default: 5)
  --seconds S       how long each program is measured in a round       (default: 1.5)
  --runtime NAME    only node, bun or deno, and its own peer; not kept
  --smoke           everything tiny, to see that it runs; nothing is kept
  --help            this text`;

const options = parseOrExit(
  process.argv.slice(2),
  { pairs: "number", seconds: "number", runtime: RUNTIMES, smoke: "flag" },
  HELP,
);
const isSmoke = options.smoke === true;
const pairs = Math.ceil(options.pairs ?? (isSmoke ? 1 : 5));
const seconds = options.seconds ?? (isSmoke ? 0.2 : 1.5);
const warmupSeconds = isSmoke ? 0.1 : Math.min(0.5, seconds / 2 + 0.1);
const runtimes = options.runtime ? [options.runtime] : ["bun", "deno", "node"];
// Kept are whole runs only: a partial one would replace the figures of the other runtimes.
const isKept = !isSmoke && options.runtime === undefined;
const directory = join(ROOT, isKept ? "bench/results" : "build/bench");
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

/** One round after the other; every second one backwards, so that drift favours nobody. */
async function runRounds(workload, participants) {
  const rounds = [];
  const failures = new Set();
  const load = isSmoke
    ? { ...workload.load, connections: Math.min(10, workload.load.connections) }
    : workload.load;
  for (let index = 0; index < pairs; index++) {
    const round = [];
    const order = index % 2 === 0 ? participants : [...participants].reverse();
    for (const participant of order) {
      try {
        const report = await measure(participant, load, {
          seconds,
          warmupSeconds,
          program: workload.program,
        });
        round.push({ name: participant.name, report });
      } catch (error) {
        failures.add(error.message);
        console.error(error.message);
      }
      process.stderr.write(".");
    }
    rounds.push(round);
  }
  process.stderr.write("\n");
  return { rounds, failures: [...failures] };
}

/** The certificate that every server shows; made when the first workload wants it. */
let authority;

function identityFor(workload) {
  if (!workload.needsTls) return undefined;
  authority ??= new Authority();
  return authority.identity("local");
}

async function runWorkload(name, hasShim) {
  const workload = WORKLOADS[name];
  const participants = listParticipants({
    runtimes,
    hasShim,
    drive: workload.drive,
    feed: workload.feed,
    identity: identityFor(workload),
    closes: workload.program === "connect",
  });
  const machine = describeMachine();
  if (!isSmoke && machine.loadAverage > 1) {
    console.error(`bench: this machine is busy (load average ${machine.loadAverage}): expect wide ranges`);
  }
  const { rounds, failures } = await runRounds(workload, participants);
  // A tenth of a second measures compilers warming up: no ratios from that.
  const comparisons = isSmoke ? [] : compare(workload, participants, rounds);
  return {
    workload: name,
    command,
    isPinned: IS_PINNED,
    seconds,
    warmupSeconds,
    machine,
    comparisons,
    failures,
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
      const [program, ...args] = source.endsWith(".mjs")
        ? [...runtimeCommand(runtime), join(ROOT, source)]
        : programCommand(runtime, source);
      const environment = { ...process.env, ...programEnvironment(runtime), NO_COLOR: "1" };
      const words = isSmoke ? [...args, "--smoke"] : args;
      const result = capture(program, words, { env: environment, timeout: 300_000 });
      outputs[runtime] = result.stdout;
      if (result.status !== 0) failures.push(`${runtime}: ${tail(result.stderr, 3)}`);
    }
  }
  return { workload: name, command, machine, outputs, failures };
}

const shimReason = await setUpOrExit();
const complaint = build("dist") ?? build("node");
// What cannot be compiled can still be measured on Bun and Deno.
if (complaint !== undefined)
  console.error(`${complaint}\nbench: the build failed; figures for node may be missing`);
const loadReason = buildLoad();
if (loadReason !== undefined) {
  console.error(`bench: the load generator needs Linux, gcc, make and liburing-dev:\n${loadReason}`);
  // Where the tools are missing, a smoke run has nothing to prove.
  process.exit(isSmoke && shimReason !== undefined ? 0 : 1);
}
if (!IS_PINNED) console.error("bench: fewer than two cores, or no taskset: server and load share a core");

mkdirSync(directory, { recursive: true });
const noTls = missingOpenssl();
let failed = 0;
for (const name of chosen) {
  if (noTls !== undefined && WORKLOADS[name]?.needsTls) {
    console.error(`\n${name}: SKIPPED: ${noTls}`);
    if (!isSmoke) failed++;
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
  writeFileSync(join(directory, `${name}.json`), `${JSON.stringify(result, null, 1)}\n`);
}
authority?.remove();
if (isKept) {
  writeResults(directory);
  console.log("\nKept in bench/results, summed up in bench/RESULTS.md.");
}
process.exitCode = failed > 0 ? 1 : 0;
