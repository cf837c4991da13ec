#!/usr/bin/env node
/**
 * `npm run release`: publishes the packages that come along with `ringwire`, then itself, then JSR's form, so that nobody can install what
 * lacks a part. Without --publish it only rehearses: every check and every tool runs, and nothing leaves this machine.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseOrExit } from "./arguments.mjs";
import { packOrExit } from "./pack.mjs";
import { stageJsr } from "./packages/jsr.mjs";
import { version } from "./packages/manifests.mjs";
import {
  checkChangelog,
  checkCheckout,
  checkPackages,
  checkVersions,
  statedVersions,
} from "./packages/release_checks.mjs";
import { shimsToPublish } from "./packages/shims.mjs";
import { runtimeCommand } from "./runtimes.mjs";
import { capture, ROOT, run, tail } from "./setup/command.mjs";
import { nodeProgram } from "./setup/npm_packages.mjs";
import { setUpOrExit } from "./setup.mjs";

const HELP = `Usage: npm run release [-- --publish]

Builds the shim of every platform; checks that all versions agree, that the changelog has an entry with a date and that the checkout
is clean; packs; then publishes to npm, platforms and parts first, and to JSR last. Without --publish it is a dry run: all of that, but nothing
leaves this machine.

  --publish   really publish, with npm's provenance: for CI, which can prove where it runs
  --help      this text`;

const options = parseOrExit(process.argv.slice(2), { publish: "flag" }, HELP);
await setUpOrExit();

// What has not changed is not built again; what is published is made of the sources that Debian has today.
const platforms = ["scripts/platforms.mjs", ...(options.publish ? ["--fresh"] : [])];
const hasPlatforms = (await run(nodeProgram(), platforms)) === 0;
const packages = packOrExit(shimsToPublish());
const complaints = [
  ...(hasPlatforms ? [] : ["the shims could not all be built: npm run platforms"]),
  ...checkVersions(statedVersions()),
  ...checkChangelog(readFileSync(join(ROOT, "CHANGELOG.md"), "utf8"), version()),
  ...checkCheckout(),
  ...checkPackages(packages),
];
for (const complaint of complaints) console.error(`release: ${complaint}`);
if (complaints.length > 0 && options.publish) {
  console.error("release: nothing was published");
  process.exit(1);
}

const steps = [
  // What `ringwire` depends on comes before it.
  ...packages.map(({ tarball }) => ({
    words: ["npm", "publish", tarball, "--access=public", "--provenance"],
    folder: ROOT,
    rehearsal: ["--dry-run"],
  })),
  {
    words: [runtimeCommand("deno")[0], "publish"],
    folder: stageJsr(),
    rehearsal: ["--dry-run", "--allow-dirty"],
  },
];

for (const { words, folder, rehearsal } of steps) {
  const [program, ...args] = options.publish ? words : [...words, ...rehearsal];
  console.log(`release: ${[program, ...args].join(" ")}`);
  if (options.publish) {
    const code = await run(program, args, { folder });
    if (code === 0) continue;
    console.error(`release: ended with ${code}; what was published before stays published`);
    process.exit(1);
  }
  const result = capture(program, args, { cwd: folder });
  if (result.status === 0) continue;
  complaints.push(`${program} ${args[0]} would fail`);
  console.error(tail(result.stderr || result.stdout, 15));
}
if (complaints.length > 0) {
  console.error(`release: ${complaints.length} things to do before ${version()} can be published`);
  process.exit(1);
}
console.log(
  options.publish ? `release: ${version()} is published` : `release: ${version()} could be published`,
);
