#!/usr/bin/env node
/**
 * `npm run test:ktls`: the TLS tests over kernel TLS. Few machines that build software have it, so a virtual machine is booted whose
 * kernel does, with this checkout in it (scripts/vm).
 */
import { parseOrExit } from "./arguments.mjs";
import { build } from "./build.mjs";
import { RUNTIMES } from "./runtimes.mjs";
import { capture } from "./setup/command.mjs";
import { nodeProgram } from "./setup/npm_packages.mjs";
import { missingOpenssl, missingVirtualMachine } from "./setup/proof_tools.mjs";
import { setUpOrExit } from "./setup.mjs";
import { runInVirtualMachine } from "./vm/virtual_machine.mjs";

const HELP = `Usage: npm run test:ktls [-- OPTIONS] [PATTERN ...]

Boots a Linux with kernel TLS in a virtual machine (user-mode-linux, from Debian) and runs the C tests and the TLS test files in it, on
Node, Bun and Deno. With a PATTERN: the test files whose path contains it.

  --runtime NAME    node, bun or deno only
  --brief           only what is there for kernel TLS: the C tests of it and test/tls/ktls.test.ts
  --minutes N       how long it may take                    (default: 30)
  --if-possible     where no virtual machine can be had, say so and end with 0
  --help            this text`;

const PATTERNS = ["test/tls", "test/conformance/tls", "test/uring/uring_transport"];
const BRIEF_PATTERNS = ["test/tls/ktls"];

const options = parseOrExit(
  process.argv.slice(2),
  { runtime: RUNTIMES, minutes: "number", brief: "flag", "if-possible": "flag" },
  HELP,
);

function giveUp(reason) {
  console.error(`SKIPPED: kernel TLS was not tested: ${reason}`);
  process.exit(options["if-possible"] ? 0 : 1);
}

if (!process.stdout.isTTY) process.env.NO_COLOR = "1";
const shimReason = await setUpOrExit();
if (shimReason !== undefined) giveUp(`no shim: ${shimReason}`);
const missing = missingOpenssl() ?? missingVirtualMachine();
if (missing !== undefined) giveUp(missing);
// Some containers forbid what user-mode-linux is made of (ptrace); then nothing was found out about us.
const probe = await runInVirtualMachine(["true"], { limitMs: 60_000 });
if (probe.complaint !== undefined) giveUp(probe.complaint);

const make = capture("make", ["-C", "ffi", "--no-print-directory", "build/ringwire_test"]);
const complaint = make.status === 0 ? (build("dist") ?? build("node")) : make.stderr;
if (complaint !== undefined) {
  console.error(complaint);
  process.exit(1);
}
const runtimes = options.runtime ? [options.runtime] : RUNTIMES;
const patterns = options.rest.length > 0 ? options.rest : options.brief ? BRIEF_PATTERNS : PATTERNS;
const result = await runInVirtualMachine(
  [nodeProgram(), "scripts/vm/ktls_suite.mjs", options.brief ? "ktls" : "", runtimes.join(","), ...patterns],
  { limitMs: (options.minutes ?? 30) * 60_000, memoryMiB: 4_096 },
);
if (result.complaint !== undefined) console.error(result.complaint);
console.log(result.code === 0 ? "kernel TLS: passed" : `kernel TLS: FAILED (exit code ${result.code})`);
process.exitCode = result.code;
