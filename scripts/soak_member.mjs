/**
 * One process of a soak, seen from outside: its lines, its orders, its memory, descriptors and CPU time.
 */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { ROOT } from "./setup/command.mjs";

/** Linux counts CPU time in these. */
const TICKS_PER_SECOND = 100;

/** See the top of this file. */
export class Member {
  name;
  counts = {};
  exitCode;
  /** Rests so far: seconds since the start, resident bytes, descriptors, and the runtime's own view of its memory. */
  rests = [];
  mostBytes = 0;
  mostDescriptors = 0;
  #child;
  #failed;
  #said = [];
  #waiters = [];

  /**
   * @param name - What it is called in the report.
   * @param words - Program and arguments.
   * @param failed - Called with each failure it tells, and with all it prints that is no line of ours.
   * @param noted - Called with remarks.
   */
  constructor(name, [program, ...args], environment, failed, noted) {
    this.name = name;
    this.#failed = failed;
    this.#child = spawn(program, args, { cwd: ROOT, env: { ...process.env, ...environment } });
    this.#child.on("error", (error) => failed(`${name} does not start: ${error.message}`));
    this.#child.stdin.on("error", () => {});
    createInterface({ input: this.#child.stdout }).on("line", (line) => this.#heard(line, noted));
    createInterface({ input: this.#child.stderr }).on("line", (line) => failed(`${name} printed: ${line}`));
    this.#child.on("close", (code, signal) => {
      this.exitCode = code ?? signal;
      this.#move();
    });
  }

  #heard(line, noted) {
    let message;
    try {
      message = JSON.parse(line);
    } catch {
      this.#failed(`${this.name} printed: ${line}`);
      return;
    }
    if (message.counts) this.counts = message.counts;
    if (message.type === "failure") this.#failed(message.text);
    else if (message.type === "note") noted(message.text);
    else this.#said.push(message);
    this.#move();
  }

  #move() {
    for (const waiter of this.#waiters.splice(0)) waiter();
  }

  order(...words) {
    if (this.exitCode === undefined) this.#child.stdin.write(`${words.join(" ")}\n`);
  }

  /**
   * Waits for a message of a type; undefined when it does not come. Seconds are counted one by one: when the whole soak is stopped for a
   * while, they are not over at once.
   */
  async hear(type, seconds) {
    let left = seconds;
    const counting = setInterval(() => {
      left--;
      this.#move();
    }, 1_000);
    try {
      for (;;) {
        const at = this.#said.findIndex((message) => message.type === type);
        if (at >= 0) return this.#said.splice(at, 1)[0];
        if (left <= 0 || this.exitCode !== undefined) return undefined;
        await new Promise((resolve) => this.#waiters.push(resolve));
      }
    } finally {
      clearInterval(counting);
    }
  }

  /** Waits for its end. Returns whether it ended by itself. */
  async ended(seconds) {
    for (let left = seconds * 10; left > 0 && this.exitCode === undefined; left--) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return this.exitCode !== undefined;
  }

  kill() {
    this.#child.kill("SIGKILL");
  }

  /** Looks at it from outside; undefined where there is no /proc, or no process any more. */
  look() {
    try {
      const { pid } = this.#child;
      const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
      // The name in front may hold anything; behind its bracket the fields are counted from the third on.
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1).split(" ");
      const cpuSeconds = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
      const seen = {
        bytes: kilobytes * 1_024,
        descriptors: readdirSync(`/proc/${pid}/fd`).length,
        cpuSeconds,
      };
      this.mostBytes = Math.max(this.mostBytes, seen.bytes);
      this.mostDescriptors = Math.max(this.mostDescriptors, seen.descriptors);
      return seen;
    } catch {
      return undefined;
    }
  }
}
