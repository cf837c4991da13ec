/**
 * Programs that only the packages' tests need, at fixed versions, from npm: a registry, linters, a bundler, other Nodes. They live in
 * build/package_tools, so that a plain clone does not install them.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mainManifest } from "../packages/manifests.mjs";
import { capture, ROOT, tail } from "../setup/command.mjs";
import { digest, isDone, markDone } from "../setup/stamp.mjs";

const FOLDER = join(ROOT, "build/package_tools");
const STEP = "package-tools";

/** One of each major version that is supported; npm has Node's own builds as packages. */
const NODES = { 20: "20.20.2", 22: "22.23.3", 24: "24.9.0", 26: "26.9.0" };

const TOOLS = {
  "@arethetypeswrong/cli": "0.18.5",
  esbuild: "0.28.2",
  pnpm: "10.34.9",
  publint: "0.3.25",
  verdaccio: "6.10.4",
  ...Object.fromEntries(
    Object.entries(NODES).map(([major, version]) => [
      `node-${major}`,
      `npm:node-${process.platform}-${process.arch}@${version}`,
    ]),
  ),
};

/** Verdaccio asks for it by a tag, which mirrors of npm need not have. */
const OVERRIDES = { "node-fetch": "2.7.0" };

/** Why nothing can be installed here, or undefined: the projects need koffi, for one, which is not ours. */
export function missingRegistry() {
  const result = capture("npm", ["view", `koffi@${mainManifest().optionalDependencies.koffi}`, "version"]);
  if (result.status === 0) return undefined;
  return `npm's registry does not answer: ${/^npm error (?!code|errno|syscall)(.+)$/m.exec(result.stderr)?.[1] ?? result.error}`;
}

/**
 * Installs the tools.
 *
 * @throws Error when npm cannot.
 */
export function installTools() {
  const manifest = JSON.stringify({ private: true, dependencies: TOOLS, overrides: OVERRIDES }, null, 2);
  const state = digest([manifest]);
  if (isDone(STEP, state) && existsSync(join(FOLDER, "node_modules"))) return;
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, "package.json"), manifest);
  console.log("test:packages: installing its tools (npm install, into build/package_tools)");
  const result = capture("npm", ["install", "--no-audit", "--no-fund", "--no-package-lock"], { cwd: FOLDER });
  if (result.status !== 0)
    throw new Error(`Cannot install the tools: ${tail(result.stderr || result.stdout)}`);
  markDone(STEP, state);
}

/** The words that start an installed tool; some of them want a newer Node than we do. */
export const tool = (path) => [toolProgram("node-24/bin/node"), toolProgram(path)];

/** A program among the tools. */
export const toolProgram = (path) => join(FOLDER, "node_modules", path);

/** The Nodes to try: major version to program. */
export function nodePrograms() {
  return Object.keys(NODES).map((major) => ({ major, program: toolProgram(`node-${major}/bin/node`) }));
}
