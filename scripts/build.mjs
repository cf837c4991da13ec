#!/usr/bin/env node
/**
 * Makes dist/, the npm form of the library and its program (`npm run build`), and build/node/, the
 * examples and bench programs in a form that Node 20 can run.
 */
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { capture, ROOT, tail } from "./setup/command.mjs";
import { nodeProgram } from "./setup/npm_packages.mjs";
import { fingerprint, forget, isDone, markDone } from "./setup/stamp.mjs";
import { setUpOrExit } from "./setup.mjs";

const TARGETS = {
  dist: {
    project: "tsconfig.build.json",
    inputs: ["src", "tsconfig.json", "tsconfig.build.json", "package-lock.json", "scripts/build.mjs"],
    output: "dist",
  },
  // src is compiled along: build/node mirrors the checkout so that "../src/mod.ts" means the same there.
  node: {
    project: "tsconfig.node.json",
    inputs: ["src", "examples", "bench", "tsconfig.json", "tsconfig.node.json", "package-lock.json"],
    output: "build/node",
  },
};

/** The bin of package.json: a fixed place with a shebang, whatever src/cli looks like inside. */
function writeProgram() {
  if (!existsSync(join(ROOT, "dist/cli/main.js"))) return;
  const path = join(ROOT, "dist/cli.js");
  writeFileSync(path, '#!/usr/bin/env node\nimport "./cli/main.js";\n');
  chmodSync(path, 0o755);
}

/**
 * Compiles one target when its inputs have changed.
 *
 * @param name - "dist" or "node".
 * @returns The compiler's complaint, or undefined when all is well.
 */
export function build(name, { always = false } = {}) {
  const { project, inputs, output } = TARGETS[name];
  const step = `build-${name}`;
  const state = fingerprint(inputs);
  if (!always && isDone(step, state) && existsSync(join(ROOT, output))) return undefined;
  forget(step);
  // Old outputs of sources that are gone must not be published.
  rmSync(join(ROOT, output), { recursive: true, force: true });
  mkdirSync(join(ROOT, output), { recursive: true });
  const compiler = capture(nodeProgram(), ["node_modules/typescript/bin/tsc", "-p", project]);
  if (name === "dist") writeProgram();
  if (compiler.status !== 0) {
    return tail(compiler.stdout || compiler.stderr || String(compiler.error ?? compiler.status), 40);
  }
  markDone(step, state);
  return undefined;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  await setUpOrExit();
  const complaint = build("dist", { always: true });
  if (complaint !== undefined) {
    console.error(complaint);
    console.error("build: tsc -p tsconfig.build.json failed");
    process.exit(1);
  }
  console.log("build: dist/ is ready");
}
