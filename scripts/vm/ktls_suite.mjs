#!/usr/bin/env node
/**
 * What scripts/test_ktls.mjs runs inside the virtual machine: the C tests, then the vitest files on each runtime, with kernel TLS
 * expected. The kernel's own counters must say as well that it was used.
 *
 * Usage: ktls_suite.mjs NAME RUNTIMES PATTERN ... (only the C tests with NAME in theirs; runtimes with commas between). What is
 * tested over native sockets elsewhere is left out: nothing about it is different here.
 */
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { release, tmpdir } from "node:os";
import { join } from "node:path";
import { runtimeCommand } from "../runtimes.mjs";
import { run } from "../setup/command.mjs";
import { countVitest } from "../vitest_report.mjs";

const C_LIMIT_MS = 120_000;
const SUITE_LIMIT_MS = 600_000;
/** A call of the system costs ten times as much here: what has to be on time elsewhere may take longer. */
const TEST_LIMIT_MS = 60_000;
const COUNTERS = "/proc/net/tls_stat";

const [name, runtimes, ...patterns] = process.argv.slice(2);
const reports = mkdtempSync(join(tmpdir(), "ktls-"));
const steps = [];

/** The kernel's counters of TLS by name. */
function readCounters() {
  const lines = readFileSync(COUNTERS, "utf8").trim().split("\n");
  return Object.fromEntries(
    lines.map((line) => line.split(/\s+/)).map(([name, text]) => [name, Number(text)]),
  );
}

async function step(title, work) {
  console.log(`\n── ${title} ──`);
  const before = readCounters();
  const beginMs = performance.now();
  const result = await work();
  const after = readCounters();
  const moved = Object.keys(after).filter((key) => after[key] !== before[key]);
  const counters = moved.map((key) => `${key} +${after[key] - before[key]}`).join(", ");
  steps.push({ title, ...result, counters, seconds: (performance.now() - beginMs) / 1000 });
  return { moved };
}

if (!existsSync(COUNTERS)) {
  console.error(`Linux ${release()} here has no ${COUNTERS}: the module tls is missing`);
  process.exit(1);
}
console.log(`Linux ${release()} with kernel TLS`);
await step("C tests", async () => {
  const code = await run("ffi/build/ringwire_test", name === "" ? [] : [name], { limitMs: C_LIMIT_MS });
  return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0, remark: "" };
});
for (const runtime of runtimes.split(",")) {
  const report = join(reports, `${runtime}.json`);
  const [program, ...words] = runtimeCommand(runtime);
  const args = ["node_modules/vitest/vitest.mjs", "run", "--pool=threads", "--reporter=default"];
  const settings = ["--reporter=json", `--outputFile.json=${report}`, `--testTimeout=${TEST_LIMIT_MS}`];
  const filter = ["--testNamePattern", "uring|kernel TLS"];
  const { moved } = await step(`vitest on ${runtime}`, async () => {
    const code = await run(program, [...words, ...args, ...settings, ...filter, ...patterns], {
      limitMs: SUITE_LIMIT_MS,
      environment: { RINGWIRE_TEST_RUNTIME: runtime, RINGWIRE_EXPECT_KTLS: "1" },
    });
    return countVitest(existsSync(report) ? readFileSync(report, "utf8") : undefined, code);
  });
  const unused = ["TlsTxSw", "TlsRxSw"].filter((name) => !moved.includes(name));
  if (unused.length > 0) {
    const result = steps.at(-1);
    result.failed++;
    result.remark += `the kernel has never done TLS here: ${unused.join(", ")} did not move\n`;
  }
}

console.log("");
for (const { title, passed, failed, skipped, remark, counters, seconds } of steps) {
  const sums = `${passed} passed, ${failed} failed, ${skipped} skipped`;
  console.log(
    `${failed > 0 ? "FAILED" : "ok    "}  ${title.padEnd(16)} ${sums}, ${seconds.toFixed(1)} s; ${counters}`,
  );
  if (remark) console.log(remark.trimEnd());
}
process.exitCode = steps.some(({ failed }) => failed > 0) ? 1 : 0;
