/**
 * How fast the machine is between two slices, who else has its cores, and keeping it steady. Where cores are virtual, the host moves them as it likes: programs on two cores that
 * share no cache talk at half the speed, and not all suffer alike. Cores that never sleep are moved seldom, so ours are kept awake
 * (bench/load/speed.c); what was measured while they were apart is left out.
 */
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { cpuNsOf, Program } from "./program.mjs";

/** Of the work of each core: what an interruption may make of it. */
const STEADY_WITHIN = 1.15;
/** A cache line goes to and fro in 40 to 150 ns between cores that share a cache; in 200 to 600 between others. */
const NEAR_NS = 200;
/** Which share of the cores others may have: another program, or the host. */
const OTHERS_AT_MOST = 0.05;
/** A core that wakes up may come back to where the other is. */
const ASLEEP_MS = 20;
/** How much time may go into that, in a group and in all. */
const SETTLING_MS = { group: 3_000, run: 40_000 };

/** The parent of the kernel's threads: what they do, they do for whoever is measured. */
const KERNEL = "2";

function isKernelThread(thread) {
  try {
    return readFileSync(`${thread}/stat`, "utf8").split(") ").at(-1).split(" ")[1] === KERNEL;
  } catch {
    return false;
  }
}

function kernelThreads() {
  const processes = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return processes.map((id) => `/proc/${id}`).filter(isKernelThread);
}

/** The speedometer. */
export class Speed {
  #program;
  #coreCount = 0;
  #groupMs = SETTLING_MS.group;
  #runMs = SETTLING_MS.run;

  static async start(program, cores) {
    const speed = new Speed();
    speed.#coreCount = cores.length;
    speed.#program = new Program("speed", { command: [program, ...cores.map(String)] });
    await speed.read();
    return speed;
  }

  /** Nanoseconds for a step of work of each core, and for a round trip of a cache line between two of them. */
  async read() {
    return JSON.parse(await this.#program.ask("now"));
  }

  /** A new group begins. */
  beginGroup() {
    this.#groupMs = SETTLING_MS.group;
  }

  /** Lets the cores sleep until the host has put them together again, or the time for that is used up. Resolves with the last reading. */
  async settle() {
    let reading = await this.read();
    for (let beginMs = performance.now(); !isNear(reading) && Math.min(this.#groupMs, this.#runMs) > 0; ) {
      this.#program.signal("SIGSTOP");
      await delay(ASLEEP_MS);
      this.#program.signal("SIGCONT");
      reading = await this.read();
      const nowMs = performance.now();
      this.#groupMs -= nowMs - beginMs;
      this.#runMs -= nowMs - beginMs;
      beginMs = nowMs;
    }
    return reading;
  }

  /**
   * Begins to watch who has the cores, which ours never leave idle.
   *
   * @returns A function that tells which share of them neither `programs` nor the kernel on their behalf nor ours had meanwhile.
   */
  watch(programs) {
    const spentNs = () => {
      const ours = [...programs, this.#program].flatMap((program) => program.threads());
      return new Map([...ours, ...kernelThreads()].map((thread) => [thread, cpuNsOf(thread) ?? 0]));
    };
    const begins = spentNs();
    const beginMs = performance.now();
    return () => {
      const coresNs = (performance.now() - beginMs) * 1e6 * this.#coreCount;
      let ownNs = 0;
      for (const [thread, ns] of spentNs()) ownNs += ns - (begins.get(thread) ?? 0);
      return Math.max(0, 1 - ownNs / coresNs);
    };
  }

  stop() {
    return this.#program.stop();
  }
}

function isNear(reading) {
  return reading.at(-1) <= NEAR_NS;
}

function isWithin(values) {
  return Math.max(...values) <= Math.min(...values) * STEADY_WITHIN;
}

/**
 * What the machine was like during some runs: "near", its cores shared a cache and kept their speed; "far", they shared none; or "unsteady", which it also was
 * when others had them. Without readings it is taken for near.
 *
 * @param runs - Of each `speeds`, readings before and after it, and `others`, the share of the cores that others had.
 */
export function conditionOf(runs) {
  const readings = runs.flatMap(({ speeds = [] }) => speeds);
  const steps = readings.map((reading) => reading.slice(0, -1));
  const keptSpeed = (steps[0] ?? []).every((_, core) => isWithin(steps.map((step) => step[core])));
  const keptCores = runs.every(({ others = 0 }) => others <= OTHERS_AT_MOST);
  if (!keptSpeed || !keptCores) return "unsteady";
  if (readings.every(isNear)) return "near";
  return readings.some(isNear) ? "unsteady" : "far";
}

/** Of one alone nobody knows whether it was an accident: those of an unsteady machine are taken then. */
const ENOUGH = 2;

/**
 * Of those that were measured, the ones under the steady condition of which there are most.
 *
 * @param candidates - Lists of runs.
 * @returns The chosen, and their condition.
 */
export function underOneCondition(candidates) {
  const by = { near: [], far: [], unsteady: [] };
  for (const candidate of candidates) by[conditionOf(candidate)].push(candidate);
  const conditions = by.far.length > by.near.length ? ["far", "near", "unsteady"] : Object.keys(by);
  const condition =
    conditions.find((name) => by[name].length >= ENOUGH) ??
    conditions.find((name) => by[name].length > 0) ??
    "near";
  return { condition, chosen: by[condition] };
}
