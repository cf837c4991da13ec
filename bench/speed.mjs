/**
 * How fast the machine is between two slices. Machines in a cloud change their speed without a word, each core by itself: ratios are taken only between
 * slices before, between and after which it was the same.
 */
import { Program } from "./program.mjs";

/** What an interruption or a neighbour's cache traffic may make of it. */
const STEADY_WITHIN = 1.15;

/** The speedometer: bench/load/speed.c. */
export class Speed {
  #program;

  static async start(program, cores) {
    const speed = new Speed();
    speed.#program = new Program("speed", { command: [program, ...cores.map(String)] });
    await speed.read();
    return speed;
  }

  /** Nanoseconds for one step of each kind of work on each core. */
  async read() {
    return Object.values(JSON.parse(await this.#program.ask("now"))).flat();
  }

  stop() {
    return this.#program.stop();
  }
}

/** Whether all readings are those of one speed. */
export function isSteady(readings) {
  const [first = []] = readings;
  return first.every((_, column) => {
    const values = readings.map((reading) => reading[column]);
    return Math.max(...values) <= Math.min(...values) * STEADY_WITHIN;
  });
}
