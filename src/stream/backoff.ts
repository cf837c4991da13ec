/** How long to wait before the next attempt: longer after each failure, and by chance, so that clients of one server do not come back together. */

import type { Runtime } from "../runtime/runtime.ts";

/** See `ReconnectOptions`. */
export interface BackoffPlan {
  readonly initialMs: number;
  readonly factor: number;
  readonly maxMs: number;
}

/** Exponential backoff with full jitter: anything from 0 to a ceiling that grows with each failure in a row. */
export class Backoff {
  readonly #plan: BackoffPlan;
  readonly #random: () => number;
  #failures = 0;

  /** @param random - Evenly distributed, 0 included and 1 not. */
  constructor(plan: BackoffPlan, random: () => number) {
    this.#plan = plan;
    this.#random = random;
  }

  /** Failures since the last `reset`. */
  get failures(): number {
    return this.#failures;
  }

  /** Counts a failure and draws the delay before the next attempt, milliseconds. */
  next(): number {
    const { initialMs, factor, maxMs } = this.#plan;
    const ceilingMs = Math.min(maxMs, initialMs * factor ** this.#failures);
    this.#failures++;
    return this.#random() * ceilingMs;
  }

  /** What was tried has proved itself: the next delay is drawn as the first. */
  reset(): void {
    this.#failures = 0;
  }
}

/** Dice for it: from 0 to 1, 1 excluded. */
export function randomShare(runtime: Runtime): number {
  const words = new Uint32Array(1);
  runtime.randomFill(new Uint8Array(words.buffer));
  return words[0] / 2 ** 32;
}
