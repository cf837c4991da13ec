/**
 * How fast the machine is between two slices, and keeping it so. Where cores are virtual, the host moves them as it likes: programs on two cores that
 * share no cache talk at half the speed, and not all suffer alike. Cores that never sleep are moved seldom, so ours are kept awake
 * (bench/load/speed.c); what was measured while they were apart is left out.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Program } from "./program.mjs";

/** Of the work of each core: what an interruption may make of it. */
const STEADY_WITHIN = 1.15;
/** A cache line goes to and fro in 40 to 150 ns between cores that share a cache; in 200 to 600 between others. */
const NEAR_NS = 200;
/** A host that is not asked to move a core leaves it where it is; one that wakes up may come back. */
const ASLEEP_MS = 50;
const SETTLING_MS = 4_000;

/** The speedometer. */
export class Speed {
  #program;
  #canSettle = true;

  static async start(program, cores) {
    const speed = new Speed();
    speed.#program = new Program("speed", { command: [program, ...cores.map(String)] });
    await speed.read();
    return speed;
  }

  /** Nanoseconds for a step of work of each core, and for a round trip of a cache line between two of them. */
  async read() {
    return JSON.parse(await this.#program.ask("now"));
  }

  /** Lets the cores sleep until the host has put them together again. Gives up where that takes too long. */
  async settle() {
    const untilMs = performance.now() + SETTLING_MS;
    while (this.#canSettle && !isNear(await this.read())) {
      this.#canSettle = performance.now() < untilMs;
      this.#program.signal("SIGSTOP");
      await delay(ASLEEP_MS);
      this.#program.signal("SIGCONT");
    }
  }

  stop() {
    return this.#program.stop();
  }
}

function isNear(reading) {
  return reading.at(-1) <= NEAR_NS;
}

/** Whether all readings are those of one speed, of cores that share a cache. */
export function isSteady(readings) {
  const steps = readings.map((reading) => reading.slice(0, -1));
  return (
    readings.every(isNear) && (steps[0] ?? []).every((_, core) => isWithin(steps.map((step) => step[core])))
  );
}

function isWithin(values) {
  return Math.max(...values) <= Math.min(...values) * STEADY_WITHIN;
}
