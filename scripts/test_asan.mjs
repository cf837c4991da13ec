#!/usr/bin/env node
/**
 * `npm run test:asan`: tests on Node with the shim built under AddressSanitizer and UndefinedBehaviorSanitizer, libasan
 * preloaded. The C tests know the shim alone; here it runs as it is used.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseOrExit } from "./arguments.mjs";
import { capture, ROOT, run } from "./setup/command.mjs";
import { nodeProgram } from "./setup/npm_packages.mjs";
import { setUpOrExit } from "./setup.mjs";

const HELP = `Usage: npm run test:asan [-- PATTERN ...]

Runs the test files whose path contains a PATTERN (test/conformance and test/tls unless given) on Node, over a shim with
AddressSanitizer and UndefinedBehaviorSanitizer. A report of theirs ends the run.

  --help            this text`;

const LIBRARY = "ffi/build/asan/libringwire.so";
/** Several times as long as without: every access is checked. */
const LIMIT_MS = 1_800_000;
const TEST_LIMIT_MS = 120_000;

const options = parseOrExit(process.argv.slice(2), {}, HELP);
const patterns = options.rest.length > 0 ? options.rest : ["test/conformance", "test/tls"];
const reason = await setUpOrExit();
if (reason !== undefined) {
  console.log(`SKIPPED: no shim: ${reason}`);
  process.exit(0);
}
const make = capture("make", ["-C", "ffi", LIBRARY.replace("ffi/", "")]);
if (make.status !== 0) {
  console.error(make.stderr);
  process.exit(1);
}
const preload = capture("gcc", ["-print-file-name=libasan.so"]).stdout.trim();
if (!existsSync(preload)) {
  console.log(`SKIPPED: gcc has no libasan: "${preload}"`);
  process.exit(0);
}
process.exitCode = await run(
  nodeProgram(),
  ["node_modules/vitest/vitest.mjs", "run", "--pool=threads", `--testTimeout=${TEST_LIMIT_MS}`, ...patterns],
  {
    limitMs: LIMIT_MS,
    environment: {
      LD_PRELOAD: preload,
      RINGWIRE_LIBRARY: join(ROOT, LIBRARY),
      RINGWIRE_TEST_RUNTIME: "node",
      // A small quarantine: tests that watch the memory of the process must not see freed blocks kept by hundreds of MiB.
      // V8 frees little at its end, so leaks are looked for in the C tests. Its traps for null pointers and guard pages
      // use the signals that the sanitizer would take.
      ASAN_OPTIONS:
        "quarantine_size_mb=8:detect_leaks=0:allow_user_segv_handler=1:halt_on_error=1:exitcode=86",
      UBSAN_OPTIONS: "print_stacktrace=1:halt_on_error=1:exitcode=86",
    },
  },
);
