#!/usr/bin/env node
/**
 * `npm run platforms`: the shim for every platform that gets a package, in dist/platforms/NAME/libringwire.so, built on this machine alone.
 */
import { existsSync, rmSync } from "node:fs";
import { relative } from "node:path";
import { parseOrExit } from "./arguments.mjs";
import { MirrorError, readLists } from "./platforms/debian.mjs";
import { buildDependencies } from "./platforms/dependencies.mjs";
import { inspect } from "./platforms/inspection.mjs";
import { PLATFORMS, WORK } from "./platforms/platform.mjs";
import { prove } from "./platforms/proof.mjs";
import { buildShim } from "./platforms/shim.mjs";
import { dependenciesState, shimState, shimStep } from "./platforms/state.mjs";
import { makeSysroot } from "./platforms/sysroot.mjs";
import { missingTools } from "./platforms/tools.mjs";
import { ROOT } from "./setup/command.mjs";
import { forget, isDone, markDone } from "./setup/stamp.mjs";

const NAMES = PLATFORMS.map((platform) => platform.name);

const HELP = `Usage: npm run platforms [-- OPTIONS] [NAME ...]

Builds the io_uring shim for ${NAMES.join(", ")} (or the named ones), with everything linked in, into dist/platforms, and inspects what
came out. Needs a Debian; fetches headers, libraries and sources from it. What has been built is built again only when it changed.

  --fresh        fetch and build everything anew, with the sources that Debian has today: before a release
  --test         run the C tests of each platform, and load each library; foreign processors are emulated
  --if-possible  where the tools or Debian's mirror are missing, say so and end with 0
  --help         this text`;

/** Does a step of a platform if its inputs have changed since it was done. */
function once(step, state, output, work) {
  if (isDone(step, state) && existsSync(output)) return;
  forget(step);
  work();
  markDone(step, state);
}

function buildPlatform(platform) {
  const step = shimStep(platform.name);
  once(`platform-${platform.name}`, dependenciesState(), platform.prefix, () => {
    console.log(`platforms: ${platform.name}: building OpenSSL, zlib, libdeflate and liburing`);
    forget(step);
    readLists();
    makeSysroot(platform);
    buildDependencies(platform);
  });
  once(step, shimState(), platform.library, () => buildShim(platform));
}

const options = parseOrExit(
  process.argv.slice(2),
  { test: "flag", fresh: "flag", "if-possible": "flag" },
  HELP,
);
const unknown = options.rest.filter((name) => !NAMES.includes(name));
if (unknown.length > 0) {
  console.error(`Unknown platform "${unknown[0]}"; there are ${NAMES.join(", ")}.`);
  process.exit(2);
}
const platforms = PLATFORMS.filter(({ name }) => options.rest.length === 0 || options.rest.includes(name));
const missing = missingTools(platforms, options.test);
if (missing !== undefined) {
  console.error(`${options["if-possible"] ? "SKIPPED" : "FAILED"}: platforms were not built: ${missing}`);
  process.exit(options["if-possible"] ? 0 : 1);
}

if (options.fresh) rmSync(WORK, { recursive: true, force: true });
const sum = { passed: 0, failed: 0, skipped: 0 };
for (const platform of platforms) {
  try {
    buildPlatform(platform);
    const { faults, bytes, glibc } = inspect(platform);
    const proof = options.test && faults.length === 0 ? await prove(platform) : undefined;
    if (proof?.complaint !== undefined) faults.push(proof.complaint);
    for (const key of Object.keys(sum)) sum[key] += proof?.[key] ?? 0;
    const size = `${(bytes / 1e6).toFixed(2)} MB`;
    const needs = glibc === undefined ? platform.libc : `glibc ${glibc}`;
    const tests = proof ? `, ${proof.passed} C tests passed, ${proof.skipped} skipped` : "";
    console.log(
      `${faults.length > 0 ? "FAILED" : "ok"}  ${relative(ROOT, platform.library)}  ${size}, needs ${needs}${tests}`,
    );
    for (const reason of proof?.reasons ?? []) console.log(`    skipped: ${reason}`);
    for (const fault of faults) console.error(`    ${fault}`);
    if (faults.length > 0) process.exitCode = 1;
  } catch (error) {
    const isSkipped = options["if-possible"] && error instanceof MirrorError;
    console.error(`${isSkipped ? "SKIPPED" : "FAILED"}: ${platform.name} was not built: ${error.message}`);
    if (!isSkipped) process.exitCode = 1;
  }
}
if (options.test) console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
