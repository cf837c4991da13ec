/** An empty project of a user, in a temporary folder outside of the checkout, and what is run in it. */
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, runCaptured, tail } from "../setup/command.mjs";

const INSTALL_LIMIT_MS = 120_000;
const RUN_LIMIT_MS = 60_000;
/** From the import to the first echo, as promised for a machine that does nothing else. */
export const FIRST_ECHO_MS = 150;
/** How often a program that was late is started in all: what else the machine does at that moment says nothing about us. */
const ATTEMPTS = 4;
const PROGRAMS = join(ROOT, "scripts/test_packages/programs");

/** Nothing of the checkout may help: neither its shim nor its settings. */
const NO_CHECKOUT = {
  RINGWIRE_LIBRARY: undefined,
  RINGWIRE_TRANSPORT: undefined,
  NODE_OPTIONS: undefined,
  NO_COLOR: "1",
};

export class Project {
  folder;
  #environment;

  /** @param environment - Of everything that runs in it. */
  constructor(folder, environment) {
    this.folder = folder;
    this.#environment = { ...NO_CHECKOUT, ...environment };
    mkdirSync(folder, { recursive: true });
    this.write(
      "package.json",
      `${JSON.stringify({ name: "app", version: "1.0.0", private: true, type: "module" })}\n`,
    );
  }

  path(name) {
    return join(this.folder, name);
  }

  write(name, text) {
    writeFileSync(this.path(name), text);
  }

  /** Puts a test program into the project. */
  add(name) {
    cpSync(join(PROGRAMS, name), this.path(name));
  }

  /** Runs a command in the project's folder, or in another one. @throws Error with the end of its output when it fails. */
  async run(words, { limitMs = RUN_LIMIT_MS, environment = {}, folder = this.folder } = {}) {
    const [program, ...args] = words;
    const given = { ...this.#environment, ...environment };
    const { status, output } = await runCaptured(program, args, { limitMs, environment: given, folder });
    if (status !== 0) throw new Error(`"${words.join(" ")}" ended with ${status}:\n${tail(output, 30)}`);
    return output;
  }

  install(words) {
    return this.run(words, { limitMs: INSTALL_LIMIT_MS });
  }

  /** Runs a program whose last line of output is JSON. */
  async runForJson(words, options) {
    const output = await this.run(words, options);
    try {
      return JSON.parse(output.trimEnd().split("\n").at(-1));
    } catch {
      throw new Error(`"${words.join(" ")}" printed no JSON at its end:\n${tail(output, 30)}`);
    }
  }

  /** Runs a program like programs/echo.mjs, again if its first echo came late. @returns What it printed when it was fastest. */
  async runEcho(words, options) {
    let best = await this.runForJson(words, options);
    for (let attempt = 1; attempt < ATTEMPTS && best.ms > FIRST_ECHO_MS; attempt++) {
      const again = await this.runForJson(words, options);
      if (again.ms < best.ms) best = again;
    }
    return best;
  }
}
