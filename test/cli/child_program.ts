/** Programs in processes of their own, on the runtime that the test runs on. */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root: string = fileURLToPath(new URL("../../", import.meta.url));
const isDeno: boolean = process.versions.deno !== undefined;
const isNode: boolean = !isDeno && process.versions.bun === undefined;
const LIMIT_MS = 45_000;

/** How a program ended. */
export interface Outcome {
  /** Exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const running = new Set<ChildProcess>();

/** A running program. */
export class ChildProgram {
  /** Resolves when it has ended and all of its output is here. */
  readonly ended: Promise<Outcome>;
  readonly #child: ChildProcess;
  #stdout = "";
  #stderr = "";
  #changed: () => void = () => {};

  /**
   * @param path - The program, from the top of the checkout.
   * @param environment - On top of our own.
   * @param denoPermissions - Instead of all.
   */
  constructor(
    path: string,
    words: readonly string[],
    environment: Record<string, string> = {},
    denoPermissions: readonly string[] = ["-A"],
  ) {
    if (!existsSync(root + path))
      throw new Error(`Cannot run ${path}: build first (npm run build, npm test)`);
    const before = isDeno ? ["run", "--no-prompt", ...denoPermissions] : [];
    this.#child = spawn(process.execPath, [...before, root + path, ...words], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, NO_COLOR: "1", ...environment },
    });
    running.add(this.#child);
    this.#child.stdout?.setEncoding("utf8").on("data", (text) => {
      this.#stdout += text;
      this.#changed();
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text) => {
      this.#stderr += text;
    });
    // It may end without reading its input.
    this.#child.stdin?.on("error", () => {});
    const killer = setTimeout(() => this.#child.kill("SIGKILL"), LIMIT_MS);
    this.ended = new Promise((resolve) => {
      this.#child.on("close", (code) => {
        clearTimeout(killer);
        running.delete(this.#child);
        resolve({ code, stdout: this.#stdout, stderr: this.#stderr });
        this.#changed();
      });
    });
  }

  /** Waits until standard output matches. @throws Error when the program ends first. */
  async output(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#stdout);
      if (match !== null) return match;
      if (!running.has(this.#child)) {
        throw new Error(`It ended without ${pattern}\n${this.#stdout}\n${this.#stderr}`);
      }
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }

  /** Stops reading what it prints. */
  pauseOutput(): void {
    this.#child.stdout?.pause();
  }

  resumeOutput(): void {
    this.#child.stdout?.resume();
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  endInput(text = ""): void {
    this.#child.stdin?.end(text);
  }

  signal(name: "SIGINT" | "SIGTERM"): void {
    // Not child.kill(): Deno's then claims that the signal ended the program, whatever its exit code was.
    process.kill(this.#child.pid as number, name);
  }
}

/** The program `ringwire`, as it is published. */
export function startCli(words: readonly string[], environment: Record<string, string> = {}): ChildProgram {
  return new ChildProgram("dist/cli.js", words, environment);
}

/** Runs `ringwire` to its end. */
export function runCli(
  words: readonly string[],
  input = "",
  environment: Record<string, string> = {},
): Promise<Outcome> {
  const program = startCli(words, environment);
  program.endInput(input);
  return program.ended;
}

/** Runs `ringwire connect` with a server that echoes: the input ends when its lines have come back, however long that takes. */
export async function runEchoed(words: readonly string[], lines: string): Promise<Outcome> {
  const program = startCli(["connect", ...words, "--wait", "0"]);
  program.write(lines);
  await program.output(new RegExp(lines));
  program.endInput();
  return await program.ended;
}

/** An example: from source on Bun and Deno, in its built form on Node. @param path - e.g. `echo_server` */
export function startExample(
  path: string,
  words: readonly string[] = [],
  environment: Record<string, string> = {},
): ChildProgram {
  return new ChildProgram(
    isNode ? `build/node/examples/${path}.js` : `examples/${path}.ts`,
    words,
    environment,
  );
}

/** For `afterEach`: nothing may outlive its test. */
export function killPrograms(): void {
  for (const child of running) child.kill("SIGKILL");
}
