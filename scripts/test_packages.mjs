#!/usr/bin/env node
/**
 * `npm run test:packages`: what users get. Packs everything, publishes it to a registry on this machine, installs it into empty
 * projects outside of the checkout and runs a client and a server there, on every runtime and in every form that we promise.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseOrExit } from "./arguments.mjs";
import { packOrExit } from "./pack.mjs";
import { shimsToTry } from "./packages/shims.mjs";
import { capture, ROOT, tail } from "./setup/command.mjs";
import { setUpOrExit } from "./setup.mjs";
import { testBundles } from "./test_packages/bundles.mjs";
import { testContents } from "./test_packages/contents.mjs";
import { testInstalls } from "./test_packages/installs.mjs";
import { testPermissions } from "./test_packages/permissions.mjs";
import { Registry } from "./test_packages/registry.mjs";
import { Report } from "./test_packages/report.mjs";
import { installTools, missingRegistry } from "./test_packages/tools.mjs";
import { testTypes } from "./test_packages/types.mjs";

const PARTS = {
  contents: testContents,
  installs: testInstalls,
  permissions: testPermissions,
  bundles: testBundles,
  types: testTypes,
};

const HELP = `Usage: npm run test:packages [-- PART ...]

Packs, publishes to a registry on the loopback interface, installs into empty projects, and runs client and server there.
Parts: ${Object.keys(PARTS).join(", ")}; without one, all of them.

  --keep           leaves the projects in the temporary folder
  --if-possible    where npm's registry cannot be reached, say so and end with 0
  --help           this text`;

const options = parseOrExit(process.argv.slice(2), { keep: "flag", "if-possible": "flag" }, HELP);
const unknown = options.rest.find((name) => !Object.hasOwn(PARTS, name));
if (unknown !== undefined) {
  console.error(`Unknown part "${unknown}".\n\n${HELP}`);
  process.exit(2);
}

await setUpOrExit();
const unreachable = missingRegistry();
if (unreachable !== undefined) {
  console.error(`SKIPPED: packages were not tested: ${unreachable}`);
  process.exit(options["if-possible"] ? 0 : 1);
}
const startMs = performance.now();
const packages = packOrExit(shimsToTry());
installTools();
const folder = mkdtempSync(join(tmpdir(), "ringwire-packages-"));
const registry = new Registry(join(folder, "registry"));
const report = new Report();
try {
  await registry.start();
  const environment = registry.environment(folder);
  for (const { name, tarball } of packages) {
    const result = capture("npm", ["publish", tarball, "--provenance=false"], {
      env: { ...process.env, ...environment },
      cwd: folder,
    });
    if (result.status !== 0) throw new Error(`Cannot publish ${name}:\n${tail(result.stderr)}`);
  }
  const context = {
    folder,
    environment,
    report,
    packages,
    isPublishedHere: (name) => packages.some((each) => each.name === name),
  };
  for (const name of options.rest.length > 0 ? options.rest : Object.keys(PARTS)) await PARTS[name](context);
} catch (error) {
  console.error(`test:packages: ${error.message}`);
  process.exitCode = 1;
} finally {
  registry.stop();
  if (options.keep) console.log(`test:packages: projects are in ${folder}`);
  else rmSync(folder, { recursive: true, force: true, cwd: ROOT });
}
if (!report.finish()) process.exitCode = 1;
console.log(`total ${((performance.now() - startMs) / 1000).toFixed(0)} s`);
