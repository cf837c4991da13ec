/**
 * A participant and what drives it, both started once and asleep between slices.
 *
 * A participant is a server, which says "listening PORT" and is driven by a load generator; a client, which is driven by a server of ours; or alone. Who drives
 * says "ready", and answers each line "WARMUP SECONDS PID" with a report; PID is the participant.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { capture, ROOT, tail } from "../scripts/setup/command.mjs";
import { Program } from "./program.mjs";

const LOADS = join(ROOT, "bench/load/build");

/** Builds the load generators. Returns a reason why that cannot be, or undefined. */
export function buildLoads() {
  const make = capture("make", ["-s", "-C", "bench/load"]);
  return make.status === 0 ? undefined : tail(make.stderr || String(make.error ?? make.status));
}

/** Where a load generator, or the speedometer, lies. */
export function loadProgram(name) {
  return join(LOADS, name);
}

/** The participant's cores come first; who drives has the next one, or the last where that is one of the participant's. */
export function coresOf({ threads = 1 }) {
  const cores = availableParallelism();
  return {
    theirs: threads === 1 ? "0" : `0-${Math.min(threads, cores) - 1}`,
    load: String(Math.min(threads, cores - 1)),
  };
}

export function optionWords(options) {
  return Object.entries(options).flatMap(([name, value]) =>
    value === true ? [`--${name}`] : [`--${name}`, String(value)],
  );
}

/** The port of a line "listening PORT", or "… 127.0.0.1:PORT". Programs may say other things before. */
export async function portOf(program) {
  for (;;) {
    const port = /listening\s+(?:\S*:)?(\d+)/.exec(await program.line())?.[1];
    if (port !== undefined) return port;
  }
}

export class Rig {
  #subject;
  #driver;
  #isAlone = false;
  #threads = 1;

  /** @throws Error naming the participant, with what it or the load generator said. */
  static async start(participant, { program = "load", load }) {
    const rig = new Rig();
    try {
      await rig.#start(participant, loadProgram(program), load);
      return rig;
    } catch (error) {
      await rig.stop();
      throw error;
    }
  }

  async #start(participant, load, options) {
    const { name, role = "server", threads = 1 } = participant;
    this.#threads = threads;
    const cores = coresOf(participant);
    const start = (command) => new Program(name, { ...participant, command, cores: cores.theirs });
    const drive = (more) =>
      new Program(name, { command: [load, ...optionWords({ ...options, ...more })], cores: cores.load });
    if (role === "client") {
      this.#driver = drive({});
      const port = await portOf(this.#driver);
      const words = optionWords({ port, connections: options.connections });
      this.#subject = start([...participant.command, ...words]);
    } else {
      this.#subject = start(participant.command);
      this.#isAlone = role === "alone";
      this.#driver = this.#isAlone ? this.#subject : drive({ port: await portOf(this.#subject) });
    }
    await this.#driver.line();
    this.#sleep(true);
  }

  /** The participant and, unless it is alone, who drives it. */
  get programs() {
    return this.#isAlone ? [this.#subject] : [this.#subject, this.#driver];
  }

  /** What was measured, with the resident memory of both sides afterwards. */
  async slice({ warmupSeconds, seconds }) {
    this.#sleep(false);
    const report = JSON.parse(await this.#driver.ask(`${warmupSeconds} ${seconds} ${this.#subject.pid}`));
    this.#sleep(true);
    // Beside threads of idle priority (speed.c), the kernel leaves two busy ones on one core.
    if (this.#threads > 1) this.#subject.spread(this.#threads);
    report.serverBytes = this.#subject.residentBytes();
    if (!this.#isAlone) report.loadBytes = this.#driver.residentBytes();
    return report;
  }

  async stop() {
    await Promise.all([this.#subject?.stop(), this.#driver?.stop()]);
  }

  #sleep(isAsleep) {
    for (const program of [this.#subject, this.#driver]) program.signal(isAsleep ? "SIGSTOP" : "SIGCONT");
  }
}
