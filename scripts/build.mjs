#!/usr/bin/env node
/**
 * Makes dist/, the npm form of the library and its program (`npm run build`); build/node/, the examples in a form that Node 20 can
 * run; and build/bench/programs, the programs of the benches.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { capture, ROOT, tail } from "./setup/command.mjs";
import { nodeProgram } from "./setup/npm_packages.mjs";
import { fingerprint, forget, isDone, markDone } from "./setup/stamp.mjs";
import { setUpOrExit } from "./setup.mjs";

/** What other commands leave in dist/: npm run platforms, npm run pack, npm run reference. */
export const NOT_BUILT = ["platforms", "packages", "reference"];

const TARGETS = {
  dist: {
    inputs: [
      "src",
      "tsconfig.json",
      "tsconfig.build.json",
      "package-lock.json",
      "scripts/build.mjs",
      "scripts/packages",
    ],
    output: "dist",
    keep: NOT_BUILT,
    steps: [
      ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"],
      ["scripts/packages/bundle.mjs"],
      ["scripts/packages/declarations.mjs"],
    ],
  },
  // src is compiled along: build/node mirrors the checkout so that "../src/mod.ts" means the same there.
  node: {
    inputs: ["src", "examples", "test/fuzz", "tsconfig.json", "tsconfig.node.json", "package-lock.json"],
    output: "build/node",
    keep: [],
    steps: [["node_modules/typescript/bin/tsc", "-p", "tsconfig.node.json"]],
  },
  bench: {
    inputs: ["src", "bench", "tsconfig.json", "package-lock.json"],
    output: "build/bench/programs",
    keep: [],
    steps: [["bench/bundle.mjs"]],
  },
};

/** Old outputs of sources that are gone must not be published. */
function clear(output, keep) {
  mkdirSync(join(ROOT, output), { recursive: true });
  for (const name of readdirSync(join(ROOT, output))) {
    if (!keep.includes(name)) rmSync(join(ROOT, output, name), { recursive: true, force: true });
  }
}

/**
 * Makes one target when its inputs have changed.
 *
 * @param name - "dist", "node" or "bench".
 * @returns The complaint of the tool that failed, or undefined when all is well.
 */
export function build(name, { always = false } = {}) {
  const { inputs, output, keep, steps } = TARGETS[name];
  const step = `build-${name}`;
  const state = fingerprint(inputs);
  if (!always && isDone(step, state) && existsSync(join(ROOT, output))) return undefined;
  forget(step);
  clear(output, keep);
  for (const words of steps) {
    const tool = capture(nodeProgram(), words);
    if (tool.status === 0) continue;
    const complaint = tool.stdout || tool.stderr || String(tool.error ?? tool.status);
    return `${words.join(" ")} failed:\n${tail(complaint, 40)}`;
  }
  markDone(step, state);
  return undefined;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  await setUpOrExit();
  const complaint = build("dist", { always: true });
  if (complaint !== undefined) {
    console.error(complaint);
    process.exit(1);
  }
  console.log("build: dist/ is ready");
}
