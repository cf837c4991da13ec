/** CLOCK_MONOTONIC as C reads it, and the runtime's clock: both go alike, from different beginnings. */

import { FIELD_CLOCK_HIGH, FIELD_CLOCK_LOW } from "./layout.ts";
import type { Ring } from "./ring.ts";

const NS_PER_MS = 1e6;

function join(low: number, high: number): number {
  return (high >>> 0) * 2 ** 32 + (low >>> 0);
}

/** Turns the kernel's stamps into times of the runtime's clock. */
export class KernelClock {
  readonly #ring: Ring;
  readonly #nowMs: () => number;
  /** The runtime's clock minus the kernel's, nanoseconds. */
  #offsetNs = Infinity;
  #comparedTurn = -1;

  /** @param nowMs - The runtime's clock. */
  constructor(ring: Ring, nowMs: () => number) {
    this.#ring = ring;
    this.#nowMs = nowMs;
  }

  /** A stamp of this turn, in nanoseconds of the runtime's clock. */
  toLocalNs(low: number, high: number): number {
    if (this.#comparedTurn !== this.#ring.turnNumber) this.#compare();
    return Math.round(join(low, high) + this.#offsetNs);
  }

  /** Between C's look at its clock and ours at ours time has passed: of many differences the smallest is the truest. */
  #compare(): void {
    this.#comparedTurn = this.#ring.turnNumber;
    const kernelNs = join(this.#ring.field(FIELD_CLOCK_LOW), this.#ring.field(FIELD_CLOCK_HIGH));
    this.#offsetNs = Math.min(this.#offsetNs, this.#nowMs() * NS_PER_MS - kernelNs);
  }
}
