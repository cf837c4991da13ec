/**
 * The npm packages, and proof that the programs among them really run: bun, deno and koffi finish their
 * installation in install scripts, which npm 11 and later may leave out, and which can fail silently.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { capture, findProgram, ROOT, run, tail } from "./command.mjs";
import { digest, isDone, markDone } from "./stamp.mjs";

const STEP = "npm-packages";

/** Programs to try, and the install script that mends each. */
const PROGRAMS = [
  { name: "bun", test: ["node_modules/.bin/bun", "--version"], mend: "node_modules/bun/install.js" },
  { name: "deno", test: ["node_modules/.bin/deno", "--version"], mend: "node_modules/deno/install.cjs" },
  { name: "koffi", test: ["node", "-e", "require('koffi').load(null)"], mend: undefined },
];

/** Whether node_modules holds what the lock file says, whoever installed it. */
function matchesLock(lockText) {
  let installed;
  try {
    installed = JSON.parse(readFileSync(join(ROOT, "node_modules/.package-lock.json"), "utf8")).packages;
  } catch {
    return false;
  }
  for (const [path, entry] of Object.entries(JSON.parse(lockText).packages)) {
    if (path === "" || (entry.optional && !installed[path])) continue;
    if (installed[path]?.version !== entry.version || !existsSync(join(ROOT, path))) return false;
  }
  return true;
}

/** Tries one program; runs its install script when it does not work. Returns an error text or undefined. */
function prove({ name, test, mend }) {
  const attempt = () => capture(test[0] === "node" ? nodeProgram() : join(ROOT, test[0]), test.slice(1));
  let result = attempt();
  if (result.status !== 0 && mend && existsSync(join(ROOT, mend))) {
    console.log(`set-up: ${name} does not run yet, running its own install script`);
    capture(nodeProgram(), [join(ROOT, mend)], { cwd: join(ROOT, "node_modules", name) });
    result = attempt();
  }
  if (result.status === 0) return undefined;
  return `${name} does not run: ${tail(result.stderr || String(result.error ?? `exit code ${result.status}`), 3)}`;
}

/** The Node to run things with: this process when it is Node, else the one on the path. */
export function nodeProgram() {
  const isNode = !process.versions.bun && !process.versions.deno;
  return isNode ? process.execPath : (findProgram("node") ?? "node");
}

/**
 * Installs packages when the lock file asks for others than are there.
 *
 * @throws Error when npm is missing or fails: nothing works without packages.
 */
export async function installPackages() {
  const lockText = readFileSync(join(ROOT, "package-lock.json"), "utf8");
  const state = digest([lockText, process.arch, process.platform]);
  if (isDone(STEP, state) && existsSync(join(ROOT, "node_modules/.package-lock.json"))) return;

  if (!matchesLock(lockText)) {
    if (!findProgram("npm")) {
      throw new Error(
        "Cannot install the npm packages: npm is missing. Install Node.js 20 or later, with npm.",
      );
    }
    console.log("set-up: installing npm packages (npm install)");
    // Not "npm ci": it refuses a lock file that lacks the packages of foreign platforms, which npm leaves
    // out when a registry mirror does not carry them. --no-save keeps the lock file as it is.
    const code = await run("npm", ["install", "--no-save", "--no-audit", "--no-fund"]);
    if (code !== 0) {
      throw new Error(`Cannot install the npm packages: "npm install" ended with ${code}; see above.`);
    }
  }
  const failures = PROGRAMS.map(prove).filter((text) => text !== undefined);
  for (const text of failures) console.error(`set-up: ${text}`);
  // A runtime that does not run fails where it is used, with its name; the others are still of use.
  if (failures.length === 0) markDone(STEP, state);
}
