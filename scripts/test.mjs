#!/usr/bin/env node
/**
 * `npm test`: every check of this project, one after another, and one line of sums at the end.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseOrExit } from "./arguments.mjs";
import { build } from "./build.mjs";
import { RUNTIMES, runtimeCommand } from "./runtimes.mjs";
import { capture, ROOT, run, runCaptured, tail } from "./setup/command.mjs";
import { nodeProgram } from "./setup/npm_packages.mjs";
import { missingOpenssl, missingValgrind } from "./setup/proof_tools.mjs";
import { setUpOrExit } from "./setup.mjs";
import { countVitest } from "./vitest_report.mjs";

const HELP = `Usage: npm test [-- OPTIONS] [PATTERN ...]

Type check, lint, layer check, documentation check, C tests (also under sanitizers and valgrind), the
kept fuzz corpus, build, the vitest suite on Node, Bun and Deno, kernel TLS in a virtual machine, and a tiny run of every bench. With a PATTERN: only the test files whose path contains it.

  --runtime NAME    run the suite on node, bun or deno only
  --help            this text`;

/** A runtime that hangs is stopped and counted as a failure: a suite takes two to three minutes, on a busy machine much longer. */
const SUITE_LIMIT_MS = 600_000;
const STEP_LIMIT_MS = 180_000;

// Colours are for people at a terminal: in a log they are noise, and Vitest and Biome would send them there too.
if (!process.stdout.isTTY) process.env.NO_COLOR = "1";

const options = parseOrExit(process.argv.slice(2), { runtime: RUNTIMES }, HELP);
const isFiltered = options.rest.length > 0;
const startMs = performance.now();

/** One line of the summary per step: name, counts, seconds, and a remark where one is needed. */
const steps = [];

async function step(name, work) {
  console.log(`\n═══ ${name} ${"═".repeat(Math.max(0, 90 - name.length))}`);
  const beginMs = performance.now();
  const result = { name, passed: 0, failed: 0, skipped: 0, remark: "", ...(await work()) };
  result.seconds = (performance.now() - beginMs) / 1000;
  steps.push(result);
  if (result.remark) console.log(result.remark);
  console.log(`${result.failed > 0 ? "FAILED" : "ok"}  ${name}  ${result.seconds.toFixed(1)} s`);
}

/** A step that is one program: passes when its exit code is 0. */
async function check(program, args) {
  const code = await run(program, args, { limitMs: STEP_LIMIT_MS });
  if (code === 0) return { passed: 1 };
  const remark = code === 124 ? `stopped after ${STEP_LIMIT_MS / 1000} s` : `ended with exit code ${code}`;
  return { failed: 1, remark };
}

/** The C tests, as they are ("test") or under a tool ("test-asan" …). */
function testC(goal, missing) {
  if (missing !== undefined) return { skipped: 1, remark: `SKIPPED: ${missing}` };
  const make = capture("make", ["-C", "ffi", "--no-print-directory", goal], { timeout: STEP_LIMIT_MS });
  process.stdout.write(make.stdout);
  process.stderr.write(make.stderr);
  const sums = [...make.stdout.matchAll(/(\d+) passed, (\d+) failed(?:, (\d+) skipped)?/g)].at(-1);
  const counts = sums ? sums.slice(1).map((text) => Number(text ?? 0)) : [0, 0, 0];
  const [passed, failed, skipped] = counts;
  const isBroken = (make.status !== 0 || !sums) && failed === 0;
  return {
    passed,
    failed: isBroken ? 1 : failed,
    skipped,
    remark: isBroken ? `"make -C ffi ${goal}" ended with ${make.status ?? "a time-out"}` : "",
  };
}

/** The brief form of `npm run test:ktls`, in a virtual machine; its last lines are sums. */
async function testKernelTls() {
  const { status, output } = await runCaptured(node, ["scripts/test_ktls.mjs", "--brief", "--if-possible"], {
    limitMs: STEP_LIMIT_MS,
  });
  const skipped = /^SKIPPED: kernel TLS.*$/m.exec(output)?.[0];
  if (skipped !== undefined) return { skipped: 1, remark: skipped };
  console.log(status === 0 ? tail(output, 5) : output);
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const [, count, kind] of output.matchAll(/(\d+) (passed|failed|skipped)(?=.*s; )/g))
    counts[kind] += Number(count);
  if (status !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

async function suite(runtime) {
  const report = join(ROOT, "build/test", `${runtime}.json`);
  rmSync(report, { force: true });
  const [program, ...words] = runtimeCommand(runtime);
  const args = ["node_modules/vitest/vitest.mjs", "run", "--pool=threads", "--reporter=default"];
  const reporter = ["--reporter=json", `--outputFile.json=${report}`, "--passWithNoTests"];
  const code = await run(program, [...words, ...args, ...reporter, ...options.rest], {
    limitMs: SUITE_LIMIT_MS,
    environment: { RINGWIRE_TEST_RUNTIME: runtime },
  });
  const text = existsSync(report) ? readFileSync(report, "utf8") : undefined;
  return countVitest(text, code);
}

const shimReason = await setUpOrExit();
const opensslReason = missingOpenssl();
if (opensslReason !== undefined) console.log(`SKIPPED: tests of TLS: ${opensslReason}`);
mkdirSync(join(ROOT, "build/test"), { recursive: true });
const node = nodeProgram();
const colors = process.stdout.isTTY ? [] : ["--colors=off"];

if (!isFiltered) {
  await step("type check", () => check(node, ["node_modules/typescript/bin/tsc", "-p", "."]));
  await step("lint and format", () =>
    check(node, ["node_modules/@biomejs/biome/bin/biome", "ci", "--error-on-warnings", ...colors]),
  );
  await step("layers", () => check(node, ["scripts/check_layers.mjs"]));
  await step("documentation", () => check(node, ["scripts/check_docs.mjs"]));
  const noShim = shimReason === undefined ? undefined : `no shim: ${shimReason}`;
  await step("C tests", () => testC("test", noShim));
  await step("C, ASan and UBSan", () => testC("test-asan", noShim));
  await step("C, threads, TSan", () => testC("test-tsan", noShim));
  await step("C, valgrind", () => testC("test-valgrind", noShim ?? missingValgrind()));
  await step("C, fuzz corpus", () =>
    noShim === undefined
      ? check(node, ["scripts/fuzz.mjs", "--smoke", "--target", "c"])
      : { skipped: 1, remark: `SKIPPED: ${noShim}` },
  );
}
await step("build", () => {
  const complaint = build("dist") ?? build("node");
  return complaint === undefined ? { passed: 1 } : { failed: 1, remark: complaint };
});
for (const runtime of options.runtime ? [options.runtime] : RUNTIMES) {
  await step(`vitest on ${runtime}`, () => suite(runtime));
}
if (!isFiltered) await step("kernel TLS", testKernelTls);
if (!isFiltered) await step("benches, tiny", () => check(node, ["bench/run.mjs", "--smoke"]));

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
console.log(`total ${((performance.now() - startMs) / 1000).toFixed(0)} s`);
const skippedText = sum.skipped > 0 ? `, ${sum.skipped} skipped` : "";
console.log(`${sum.passed} passed, ${sum.failed} failed${skippedText}`);
// Set and not exit(): what was printed into a pipe must arrive whole, the last line above all.
process.exitCode = sum.failed > 0 || sum.passed === 0 ? 1 : 0;
