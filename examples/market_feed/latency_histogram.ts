/** Counts latencies in buckets that grow with the value, so that millions of them take 15 KiB and no sorting. */

/** Buckets per doubling: a value is known to about 1.5 %. */
const STEPS = 64;
const DOUBLINGS = 30;

/** A histogram of microseconds, 0.001 µs to some seconds. */
export class LatencyHistogram {
  readonly #counts: Uint32Array = new Uint32Array(STEPS * DOUBLINGS);
  #count = 0;

  /** Number of values recorded. */
  get count(): number {
    return this.#count;
  }

  record(microseconds: number): void {
    // 1 + x keeps the logarithm of the smallest values at or above 0.
    const bucket = Math.max(0, Math.floor(Math.log2(1 + microseconds) * STEPS));
    this.#counts[Math.min(bucket, this.#counts.length - 1)]++;
    this.#count++;
  }

  /** The value below which this share of all values lies, microseconds. @param share - 0 to 1. */
  percentile(share: number): number {
    let rest = share * this.#count;
    for (let bucket = 0; bucket < this.#counts.length; bucket++) {
      rest -= this.#counts[bucket];
      if (rest <= 0) return 2 ** ((bucket + 0.5) / STEPS) - 1;
    }
    return 0;
  }

  /** Adds the values of another one. */
  add(other: LatencyHistogram): void {
    for (let bucket = 0; bucket < this.#counts.length; bucket++)
      this.#counts[bucket] += other.#counts[bucket];
    this.#count += other.#count;
  }

  reset(): void {
    this.#counts.fill(0);
    this.#count = 0;
  }
}
