/** What a command-line program needs from the system, through the node:* modules that all three runtimes have. */

import { readFileSync } from "node:fs";
import { release } from "node:os";
import process from "node:process";

/** The longest line that is read; a longer one ends the input with an error instead of filling memory. */
const MAX_LINE_BYTES = 16 << 20;
/** What a shell reports of a program that wrote into a pipe nobody reads any more: 128 + SIGPIPE. */
const BROKEN_PIPE_CODE = 141;

/** A limit of the process: what counts now, and up to where it may be raised. Infinity: none. */
export interface ProcessLimit {
  readonly soft: number;
  readonly hard: number;
}

/** The system as a command-line program sees it. */
export interface Console {
  /** The words behind the program's name. */
  readonly arguments: readonly string[];
  readonly inputIsTerminal: boolean;
  readonly outputIsTerminal: boolean;
  /** Release of the system's kernel, e.g. `6.18.0`; undefined where reading it is not permitted. */
  kernel(): string | undefined;
  /** The processor, e.g. `x64`. */
  readonly architecture: string;
  /** Writes to standard output. False: its reader is slow, what was written waits in memory; see `outputDrained`. */
  write(text: string): boolean;
  /** Resolves when what waits has been written. */
  outputDrained(): Promise<void>;
  /** Writes to standard error. */
  writeError(text: string): void;
  /** Lines of standard input, without their ends. @throws RangeError when one is longer than 16 MiB. */
  lines(): AsyncIterable<string>;
  /** Calls back on SIGINT and SIGTERM, until the returned function is called; the process does not end by itself then. */
  onStop(callback: (signal: string) => void): () => void;
  /** A limit of this process by its name in /proc/self/limits; undefined where that cannot be read. */
  limit(name: string): ProcessLimit | undefined;
  /** The text of a file. @throws RangeError naming the file and why it cannot be read. */
  readFile(path: string): string;
  /** Ends the process once everything written has left. */
  exit(code: number): void;
}

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/**
 * A standard stream, with a count of what waits in memory. Bun's neither has `writableNeedDrain` nor calls back of
 * an empty write in order, so the callbacks of the writes themselves are counted.
 */
class Output {
  readonly #stream: NodeJS.WriteStream;
  #pending = 0;
  #waiters: (() => void)[] = [];
  readonly #written = (): void => {
    if (--this.#pending > 0) return;
    for (const resolve of this.#waiters.splice(0)) resolve();
  };

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  write(text: string): boolean {
    this.#pending++;
    return this.#stream.write(text, this.#written);
  }

  drained(): Promise<void> {
    if (this.#pending === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }
}

async function* readLines(): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of process.stdin) {
    const lines = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split("\n");
    rest = lines.pop() as string;
    for (const line of lines) yield line.endsWith("\r") ? line.slice(0, -1) : line;
    if (rest.length > MAX_LINE_BYTES) {
      throw new RangeError(`Cannot read a line of more than ${MAX_LINE_BYTES} bytes`);
    }
  }
  rest += decoder.decode();
  if (rest !== "") yield rest;
}

function readKernel(): string | undefined {
  try {
    return release();
  } catch {
    // Deno wants --allow-sys for it.
    return undefined;
  }
}

function readLimit(name: string): ProcessLimit | undefined {
  try {
    const line = readFileSync("/proc/self/limits", "utf8")
      .split("\n")
      .find((text) => text.startsWith(name));
    const [soft, hard] = (line as string).slice(name.length).trim().split(/\s+/);
    const read = (text: string): number => (text === "unlimited" ? Infinity : Number(text));
    return { soft: read(soft), hard: read(hard) };
  } catch {
    // Another system, or a permission that Deno was not given.
    return undefined;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    throw new RangeError(
      `Cannot read the file "${path}": ${typeof code === "string" ? code : String(error)}`,
    );
  }
}

/** The console of this process. */
export function openConsole(): Console {
  // Whoever reads our output has gone: what `ringwire … | head` does is no error.
  process.stdout.on("error", () => process.exit(BROKEN_PIPE_CODE));
  process.stderr.on("error", () => process.exit(BROKEN_PIPE_CODE));
  const output = new Output(process.stdout);
  const errors = new Output(process.stderr);
  return {
    arguments: process.argv.slice(2),
    inputIsTerminal: process.stdin.isTTY === true,
    outputIsTerminal: process.stdout.isTTY === true,
    kernel: readKernel,
    architecture: process.arch,
    write: (text) => output.write(text),
    outputDrained: () => output.drained(),
    writeError(text) {
      errors.write(text);
    },
    lines: readLines,
    onStop(callback) {
      const listeners = SIGNALS.map((signal) => [signal, (): void => callback(signal)] as const);
      for (const [signal, listener] of listeners) process.on(signal, listener);
      return () => {
        for (const [signal, listener] of listeners) process.off(signal, listener);
      };
    },
    limit: readLimit,
    readFile: readText,
    exit(code) {
      process.exitCode = code;
      Promise.all([output.drained(), errors.drained()]).then(() => process.exit(code));
    },
  };
}
