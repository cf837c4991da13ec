/** Runs test/uring/programs/scenario.mjs in a process of the same runtime. */

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runtime } from "../../src/runtime/detect.ts";

const root: string = fileURLToPath(new URL("../../", import.meta.url));

/** How a program ended. */
export interface Outcome {
  /** Exit code; null when it was killed because it was still running after `killAfterMs`. */
  readonly code: number | null;
  readonly output: string;
  readonly ranMs: number;
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
 * @param killAfterMs - When to stop waiting for it to end by itself.
 */
export async function runScenario(
  scenario: string,
  library: string,
  denoPermissions: readonly string[] = ["-A"],
  killAfterMs = 10_000,
): Promise<Outcome> {
  const isNode = runtime.name === "node";
  const before = runtime.name === "deno" ? ["run", "--no-prompt", ...denoPermissions] : [];
  if (isNode) buildForNode();
  const program = `${root}test/uring/programs/${isNode ? "from_build" : "from_source"}.mjs`;
  const startMs = performance.now();
  const child: ChildProcess = spawn(process.execPath, [...before, program, library, scenario], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout?.on("data", (data) => {
    output += String(data);
  });
  child.stderr?.on("data", (data) => {
    output += String(data);
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), killAfterMs);
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  clearTimeout(timer);
  return { code, output, ranMs: performance.now() - startMs };
}
