#!/usr/bin/env node
/**
 * `npm test`: every check of this project and one line of sums at the end. The suites spend more of their time waiting than computing, so
 * two steps run side by side; what a step printed comes out whole when it has ended.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseOrExit } from "./arguments.mjs";
import { build } from "./build.mjs";
import { PLATFORM_NAMES } from "./packages/manifests.mjs";
import { localPlatform } from "./packages/shims.mjs";
import { RUNTIMES, runtimeCommand } from "./runtimes.mjs";
import { ROOT, runCaptured, tail } from "./setup/command.mjs";
import { nodeProgram } from "./setup/npm_packages.mjs";
import { missingIp, missingOpenssl, missingValgrind } from "./setup/proof_tools.mjs";
import { setUpOrExit } from "./setup.mjs";
import { countVitest } from "./vitest_report.mjs";

const HELP = `Usage: npm test [-- OPTIONS] [PATTERN ...]

Type check, lint, layer check, documentation check, build, C tests (also under sanitizers and valgrind), the kept fuzz corpus, the vitest
suite on Node, Bun and Deno, kernel TLS in a virtual machine, the packages as users install them, and a tiny run of every bench. With a
PATTERN: only the test files whose path contains it.

What failed while another step ran beside it, and was little, runs once more alone: a test of time may have lost against its neighbour. The
summary names what passed only then; it is a defect of the test or of Ringwire, to be looked for.

  --runtime NAME    run the suite on node, bun or deno only
  --help            this text`;

/** A runtime that hangs is stopped and counted as a failure: a suite takes four to five minutes, on a busy machine much longer. */
const SUITE_LIMIT_MS = 900_000;
const STEP_LIMIT_MS = 300_000;
/** More would make tests of deadlines late; a machine with one core gets the same two, and patience. */
const LANES = 2;
/** More failures than this are no matter of luck: there is no second run. A C test that fails leaves its rings to those behind it, which then fail, too. */
const MAX_SECOND_TRIES = 8;

// Colours are for people at a terminal: in a log they are noise, and Vitest and Biome would send them there too.
if (!process.stdout.isTTY) process.env.NO_COLOR = "1";

const options = parseOrExit(process.argv.slice(2), { runtime: RUNTIMES }, HELP);
const isFiltered = options.rest.length > 0;
const startMs = performance.now();

/** One line of the summary per step: name, counts, seconds, and a remark where one is needed. */
const steps = [];
/** Names of what failed first and passed alone. */
const unsteady = [];

/**
 * `work` resolves with counts, with what was printed, and, where its failures can be tried again, with `again`, which is such a `work` too.
 */
async function run(name, work) {
  console.log(`begun   ${name}`);
  const beginMs = performance.now();
  const { output = "", ...counts } = await work();
  const result = { name, passed: 0, failed: 0, skipped: 0, remark: "", ...counts };
  result.seconds = (performance.now() - beginMs) / 1000;
  console.log(`\n═══ ${name} ${"═".repeat(Math.max(0, 90 - name.length))}`);
  if (output) console.log(output.trimEnd());
  if (result.remark) console.log(result.remark);
  console.log(`${result.failed > 0 ? "FAILED" : "ok"}  ${name}  ${result.seconds.toFixed(1)} s\n`);
  return result;
}

async function step({ name, work }) {
  steps.push(await run(name, work));
}

async function inTurn(list) {
  for (const each of list) await step(each);
}

/** Two lanes that each take the next step when they are free: the longest steps belong to the front. */
async function sideBySide(list) {
  const waiting = [...list];
  const lane = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await step(next);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

/** Runs what failed once more, alone; what passes now counts as passed, and is named in the summary. */
async function tryAgain(result) {
  const { again, failed, names = [result.name] } = result;
  if (again === undefined || failed === 0 || failed > MAX_SECOND_TRIES) return;
  const second = await run(`${result.name}, once more`, again);
  if (second.failed > 0 || second.passed === 0) return;
  unsteady.push(...names);
  result.passed += failed;
  result.failed = 0;
}

/** A step that is one program: passes when its exit code is 0. */
async function check(program, args) {
  const { status, output } = await runCaptured(program, args, { limitMs: STEP_LIMIT_MS });
  if (status === 0) return { passed: 1, output };
  const remark =
    status === 124 ? `stopped after ${STEP_LIMIT_MS / 1000} s` : `ended with exit code ${status}`;
  return { failed: 1, remark, output };
}

/** A step for which something is missing on this machine. */
function skipped(reason) {
  return { skipped: 1, remark: `SKIPPED: ${reason}` };
}

/** A step that is one program which ends with sums, or with a line that says why it can do nothing here. */
async function counted(program, args) {
  const { status, output } = await runCaptured(program, args, { limitMs: STEP_LIMIT_MS });
  const reason = /^SKIPPED: (.+)$/m.exec(output)?.[1];
  if (status === 0 && reason !== undefined) return skipped(reason);
  const sums = [...output.matchAll(/(\d+) passed, (\d+) failed(?:, (\d+) skipped)?/g)].at(-1);
  const counts = sums ? sums.slice(1).map((text) => Number(text ?? 0)) : [0, 0, 0];
  const [passed, failed, skippedCount] = counts;
  const isBroken = (status !== 0 || !sums) && failed === 0;
  return {
    passed,
    failed: isBroken ? 1 : failed,
    skipped: skippedCount,
    remark: isBroken ? `${args.join(" ")} ended with ${status === 124 ? "a time-out" : status}` : "",
    output,
    ...(isBroken ? {} : { again: () => counted(program, args) }),
  };
}

/** The C tests, as they are ("test") or under a tool ("test-asan" …). */
function testC(goal, missing) {
  return missing === undefined
    ? counted("make", ["-C", "ffi", "--no-print-directory", goal])
    : skipped(missing);
}

/** The brief form of `npm run test:ktls`, in a virtual machine; its last lines are sums. */
async function testKernelTls() {
  const { status, output } = await runCaptured(node, ["scripts/test_ktls.mjs", "--brief", "--if-possible"], {
    limitMs: STEP_LIMIT_MS,
  });
  const reason = /^SKIPPED: (kernel TLS.*)$/m.exec(output)?.[1];
  if (reason !== undefined) return skipped(reason);
  const counts = { passed: 0, failed: 0, skipped: 0, output: status === 0 ? tail(output, 5) : output };
  for (const [, count, kind] of output.matchAll(/(\d+) (passed|failed|skipped)(?=.*s; )/g))
    counts[kind] += Number(count);
  if (status !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

/** The shim as this machine's users get it, which the packages are tested with: linked with an old C library, everything else inside. */
function testPlatform() {
  const platform = noShim === undefined ? localPlatform() : undefined;
  if (!PLATFORM_NAMES.includes(platform)) return skipped(noShim ?? `no package is made for ${platform}`);
  return counted(node, ["scripts/platforms.mjs", "--test", "--if-possible", platform]);
}

async function suite(runtime, files = options.rest) {
  const report = join(ROOT, "build/test", `${runtime}.json`);
  rmSync(report, { force: true });
  const [program, ...words] = runtimeCommand(runtime);
  const args = ["node_modules/vitest/vitest.mjs", "run", "--pool=threads", "--reporter=default"];
  const reporter = ["--reporter=json", `--outputFile.json=${report}`, "--passWithNoTests"];
  const { status, output } = await runCaptured(program, [...words, ...args, ...reporter, ...files], {
    limitMs: SUITE_LIMIT_MS,
    environment: { RINGWIRE_TEST_RUNTIME: runtime },
  });
  const text = existsSync(report) ? readFileSync(report, "utf8") : undefined;
  const { failures, ...counts } = countVitest(text, status);
  if (failures.length < counts.failed) return { ...counts, output };
  const again = () => suite(runtime, [...new Set(failures.map(({ file }) => file))]);
  return { ...counts, output, again, names: failures.map(({ name }) => `${name} (${runtime})`) };
}

const shimReason = await setUpOrExit();
const opensslReason = missingOpenssl();
if (opensslReason !== undefined) console.log(`SKIPPED: tests of TLS: ${opensslReason}`);
const ipReason = missingIp();
if (ipReason !== undefined) console.log(`SKIPPED: tests of networks that break: ${ipReason}`);
mkdirSync(join(ROOT, "build/test"), { recursive: true });
const node = nodeProgram();
const colors = process.stdout.isTTY ? [] : ["--colors=off"];

const noShim = shimReason === undefined ? undefined : `no shim: ${shimReason}`;
const suites = (options.runtime ? [options.runtime] : RUNTIMES).map((runtime) => ({
  name: `vitest on ${runtime}`,
  work: () => suite(runtime),
}));
const buildStep = {
  name: "build",
  work: () => {
    const complaint = build("dist") ?? build("node");
    return complaint === undefined ? { passed: 1 } : { failed: 1, remark: complaint };
  },
};

if (isFiltered) {
  await step(buildStep);
  await inTurn(suites);
} else {
  const biome = ["node_modules/@biomejs/biome/bin/biome", "ci", "--error-on-warnings", ...colors];
  await inTurn([
    { name: "type check", work: () => check(node, ["node_modules/typescript/bin/tsc", "-p", "."]) },
    { name: "lint and format", work: () => check(node, biome) },
    { name: "layers", work: () => check(node, ["scripts/check_layers.mjs"]) },
    { name: "documentation", work: () => check(node, ["scripts/check_docs.mjs"]) },
    buildStep,
  ]);
  await sideBySide([
    { name: "shim for users", work: testPlatform },
    ...suites,
    { name: "packages", work: () => counted(node, ["scripts/test_packages.mjs", "--if-possible"]) },
    { name: "C, valgrind", work: () => testC("test-valgrind", noShim ?? missingValgrind()) },
    { name: "C, ASan and UBSan", work: () => testC("test-asan", noShim) },
    { name: "C tests", work: () => testC("test", noShim) },
    { name: "C, threads, TSan", work: () => testC("test-tsan", noShim) },
    {
      name: "C, fuzz corpus",
      work: () => (noShim ? skipped(noShim) : check(node, ["scripts/fuzz.mjs", "--smoke", "--target", "c"])),
    },
    { name: "kernel TLS", work: testKernelTls },
  ]);
  for (const result of steps) await tryAgain(result);
  await step({ name: "benches, tiny", work: () => check(node, ["bench/run.mjs", "--smoke"]) });
}

console.log(`\n═══ sum ${"═".repeat(87)}`);
const sum = { passed: 0, failed: 0, skipped: 0 };
for (const { name, passed, failed, skipped, seconds } of steps) {
  for (const [key, count] of Object.entries({ passed, failed, skipped })) sum[key] += count;
  const counts =
    `${passed} passed`.padStart(12) + `${failed} failed`.padStart(12) + `${skipped} skipped`.padStart(13);
  console.log(
    `${failed > 0 ? "FAILED" : "ok    "}  ${name.padEnd(20)}${counts}${`${seconds.toFixed(1)} s`.padStart(10)}`,
  );
}
for (const name of unsteady) console.log(`UNSTEADY: passed only alone: ${name}`);
console.log(`total ${((performance.now() - startMs) / 1000).toFixed(0)} s`);
const skippedText = sum.skipped > 0 ? `, ${sum.skipped} skipped` : "";
console.log(`${sum.passed} passed, ${sum.failed} failed${skippedText}`);
// Set and not exit(): what was printed into a pipe must arrive whole, the last line above all.
process.exitCode = sum.failed > 0 || sum.passed === 0 ? 1 : 0;
