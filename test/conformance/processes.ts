/** Other processes that tests talk to: the peers that have to be Node's, and programs of this runtime. */

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runtime } from "../../src/runtime/detect.ts";

const root: string = fileURLToPath(new URL("../../", import.meta.url));

/** The shim of this checkout, for programs that are not run from src. */
export const library: string | undefined = runtime.environment("RINGWIRE_LIBRARY") ?? runtime.findLibrary();

/** Node itself. `bun --bun` puts a "node" that is Bun in front of the real one. */
export function nodeProgram(): string {
  if (runtime.name === "node") return process.execPath;
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const candidate = join(folder, "node");
    if (existsSync(candidate) && !realpathSync(candidate).includes("bun")) return candidate;
  }
  return "node";
}

/** How a program ended. */
export interface Outcome {
  /** Exit code; null when it had to be killed. */
  readonly code: number | null;
  readonly output: string;
}

/** A running process. */
export class Running {
  readonly child: ChildProcess;
  output = "";
  readonly #ended: Promise<number | null>;
  #hasClosed = false;
  #waiters: (() => void)[] = [];

  constructor(program: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    this.child = spawn(program, [...args], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...environment },
    });
    const take = (data: unknown): void => {
      this.output += String(data);
      for (const waiter of this.#waiters.splice(0)) waiter();
    };
    this.child.stdout?.on("data", take);
    this.child.stderr?.on("data", take);
    this.#ended = new Promise((resolve) => this.child.on("close", resolve));
    this.#ended.then(() => {
      this.#hasClosed = true;
      take("");
    });
  }

  /** Waits until a pattern is printed. */
  async see(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.output);
      if (found !== null) return found;
      // Not `exitCode`: what it printed last may come behind its end.
      if (this.#hasClosed) throw new Error(`The process ended without ${pattern}: ${this.output}`);
      await this.more();
    }
  }

  /** Waits until more is printed, or it ends. */
  more(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Waits for its end; kills it after a while. */
  async end(killAfterMs = 45_000): Promise<Outcome> {
    const timer = setTimeout(() => this.child.kill("SIGKILL"), killAfterMs);
    const code = await this.#ended;
    clearTimeout(timer);
    return { code, output: this.output };
  }

  kill(): void {
    this.child.kill("SIGKILL");
  }
}

/** Starts a script of `peers/` under Node. */
export function startPeer(name: string, args: readonly string[] = []): Running {
  return new Running(nodeProgram(), [join(root, "test/conformance/peers", name), ...args]);
}

let isBuilt = false;

/**
 * Starts a program of `programs/` under this runtime, with the path of Ringwire's module as its first argument. Node 20 does
 * not read TypeScript: it gets the sources as JavaScript.
 *
 * @param before - Words in front of the runtime's own command.
 */
export function startProgram(
  name: string,
  args: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
  before: readonly string[] = [],
): Running {
  const words = [...before, process.execPath];
  if (runtime.name === "deno") words.push("run", "-A", "--no-prompt");
  words.push(join(root, "test/conformance/programs", name), moduleForPrograms(), ...args);
  const [program, ...rest] = words;
  return new Running(program, rest, {
    ...(library === undefined ? {} : { RINGWIRE_LIBRARY: library }),
    ...environment,
  });
}

/** What programs and workers import: src/mod.ts, or on Node its JavaScript form, made once per test file. */
export function moduleForPrograms(): string {
  if (runtime.name !== "node") return join(root, "src/mod.ts");
  const folder = join(root, "build/conformance-sources");
  if (!isBuilt) {
    isBuilt = true;
    try {
      const tsc = join(root, "node_modules/typescript/bin/tsc");
      execFileSync(
        process.execPath,
        [tsc, "-p", join(root, "tsconfig.build.json"), "--emitDeclarationOnly", "false", "--outDir", folder],
        { stdio: "pipe" },
      );
    } catch {
      // Type errors are for the type check to report; the JavaScript is written all the same.
    }
  }
  return join(folder, "mod.js");
}
