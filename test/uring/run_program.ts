/** Runs test/uring/programs/scenario.mjs in a process of the same runtime. */

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runtime } from "../../src/runtime/detect.ts";

const root: string = fileURLToPath(new URL("../../", import.meta.url));

/** A program that hangs is stopped. */
const LIMIT_MS = 45_000;

/** How a program ended. */
export interface Outcome {
  /** Exit code; null when it was killed because it was still running. */
  readonly code: number | null;
  readonly output: string;
}

let isBuilt = false;

/** Node 20 does not read TypeScript: it gets the sources as JavaScript, made once. */
function buildForNode(): void {
  if (isBuilt) return;
  isBuilt = true;
  try {
    const tsc = `${root}node_modules/typescript/bin/tsc`;
    const build = [
      "-p",
      `${root}tsconfig.build.json`,
      "--emitDeclarationOnly",
      "false",
      "--outDir",
      `${root}build/test-sources`,
    ];
    execFileSync(process.execPath, [tsc, ...build], { stdio: "pipe" });
  } catch {
    // Type errors are for the type check to report; the JavaScript is written all the same.
  }
}

/**
 * @param denoPermissions - Instead of `-A`.
 * @param lingerMs - How long after its echo it has to end by itself.
 */
export async function runScenario(
  scenario: string,
  library: string,
  denoPermissions: readonly string[] = ["-A"],
  lingerMs: number = LIMIT_MS,
): Promise<Outcome> {
  const isNode = runtime.name === "node";
  const before = runtime.name === "deno" ? ["run", "--no-prompt", ...denoPermissions] : [];
  if (isNode) buildForNode();
  const program = `${root}test/uring/programs/${isNode ? "from_build" : "from_source"}.mjs`;
  const child: ChildProcess = spawn(process.execPath, [...before, program, library, scenario], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const timers = [setTimeout(() => child.kill("SIGKILL"), LIMIT_MS)];
  child.stdout?.on("data", (data) => {
    output += String(data);
    if (output.includes("echoed")) timers.push(setTimeout(() => child.kill("SIGKILL"), lingerMs));
  });
  child.stderr?.on("data", (data) => {
    output += String(data);
  });
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  for (const timer of timers) clearTimeout(timer);
  return { code, output };
}
