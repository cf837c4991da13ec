/**
 * A program that is measured or measures: on cores of its own, asked by lines and answering by lines, and stopped (SIGSTOP) while others are
 * measured, so that what it does in the background costs nobody.
 */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { capture, findProgram, ROOT, tail } from "../scripts/setup/command.mjs";

const ANSWER_MS = 30_000;
/** Without a core for each side, figures show how two programs share one. */
export const IS_PINNED = availableParallelism() >= 2 && findProgram("taskset") !== undefined;

/** Nothing that was started outlives us, whether stopped or not. */
const running = new Set();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Processor time of a thread, nanoseconds; undefined when it has ended. */
export function cpuNsOf(thread) {
  try {
    return Number.parseInt(readFileSync(`${thread}/schedstat`, "utf8"), 10);
  } catch {
    return undefined;
  }
}

export class Program {
  #name;
  #child;
  #lines = [];
  #waiting = undefined;
  #complaint = "";
  #failure = undefined;

  /** @param how - `command`, `environment`, and `cores`, such as "0" or "0-1". */
  constructor(name, { command, environment = {}, cores }) {
    this.#name = name;
    const [program, ...args] =
      IS_PINNED && cores !== undefined ? ["taskset", "-c", cores, ...command] : command;
    this.#child = spawn(program, args, { cwd: ROOT, env: { ...process.env, ...environment } });
    running.add(this.#child);
    this.#child.stdin.on("error", () => {});
    this.#child.stderr.on("data", (text) => {
      this.#complaint = (this.#complaint + text).slice(-4096);
    });
    createInterface(this.#child.stdout).on("line", (line) => {
      this.#lines.push(line);
      this.#answer();
    });
    this.#child.on("error", (error) => this.#fail(error.message));
    this.#child.on("close", (code, signal) => {
      running.delete(this.#child);
      this.#fail(`ended with ${signal ?? code}`);
    });
  }

  /** taskset becomes the program that it starts: this is the program's own. */
  get pid() {
    return this.#child.pid;
  }

  /** The next line that it prints. Rejects when it ends, or says nothing for 30 seconds. */
  line() {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#fail(`no answer within ${ANSWER_MS / 1000} s`), ANSWER_MS);
      this.#waiting = { resolve, reject, timer };
      this.#answer();
    });
  }

  ask(line) {
    this.#child.stdin.write(`${line}\n`);
    return this.line();
  }

  signal(name) {
    this.#child.kill(name);
  }

  /** Resident memory, bytes. */
  residentBytes() {
    const status = readFileSync(`/proc/${this.pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+)/m.exec(status)[1]) * 1024;
  }

  /** Where the kernel tells about each of its threads. */
  threads() {
    const folder = `/proc/${this.pid}/task`;
    return readdirSync(folder).map((thread) => join(folder, thread));
  }

  /** Gives each of its busiest threads one of the first `count` cores to itself, and all others the last of them. */
  spread(count) {
    if (!IS_PINNED) return;
    const last = Math.min(count, availableParallelism()) - 1;
    const busiest = this.threads().sort((a, b) => (cpuNsOf(b) ?? 0) - (cpuNsOf(a) ?? 0));
    capture("taskset", ["-acp", String(last), String(this.pid)]);
    for (let core = 0; core < last; core++)
      capture("taskset", ["-cp", String(core), basename(busiest[core])]);
  }

  stop() {
    return new Promise((resolve) => {
      if (!running.has(this.#child)) return resolve();
      this.#child.once("close", resolve);
      this.#child.kill("SIGKILL");
    });
  }

  #answer() {
    if (this.#waiting === undefined || (this.#lines.length === 0 && this.#failure === undefined)) return;
    const { resolve, reject, timer } = this.#waiting;
    clearTimeout(timer);
    this.#waiting = undefined;
    if (this.#lines.length > 0) resolve(this.#lines.shift());
    else reject(this.#failure);
  }

  #fail(why) {
    this.#failure ??= new Error(`${this.#name}: ${[why, tail(this.#complaint, 6)].join("\n").trim()}`);
    this.#answer();
  }
}
