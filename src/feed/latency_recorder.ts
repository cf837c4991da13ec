/**
 * Where the time of a feed's messages goes: on the way here, and here.
 */

import { Histogram } from "../metrics/histogram.ts";

const NS_PER_MS = 1_000_000;
const SHARES: readonly (readonly [string, number])[] = [
  ["p50", 0.5],
  ["p95", 0.95],
  ["p99", 0.99],
  ["p99.9", 0.999],
  ["max", 1],
];
const COLUMN_WIDTH = 12;

/**
 * Distributions of the latencies of a feed, nanoseconds.
 *
 * @example
 * ```ts
 * import { LatencyRecorder } from "ringwire/feed";
 *
 * const nowNs = () => performance.now() * 1e6;
 * const recorder = new LatencyRecorder(performance.timeOrigin);
 * const trade = { publishedMs: performance.timeOrigin + performance.now(), receivedNs: nowNs() };
 * recorder.record(trade.publishedMs, trade.receivedNs, nowNs());
 * console.log(recorder.table());
 * ```
 */
export class LatencyRecorder {
  /** From being published to being received: the network, and how far the two clocks are apart. */
  readonly transit: Histogram = new Histogram();
  /** From being received to being handled. */
  readonly handling: Histogram = new Histogram();
  /** From being published to being handled. */
  readonly age: Histogram = new Histogram();
  readonly #originMs: number;

  /**
   * Makes a recorder without values.
   *
   * @param originMs - The Unix time at which the monotonic clock was 0, milliseconds: `performance.timeOrigin`.
   */
  constructor(originMs: number) {
    this.#originMs = originMs;
  }

  /**
   * Records one message. Clocks that disagree can make it look received before it was published: that counts as 0.
   *
   * @param publishedMs - The Unix time that the message bears, milliseconds, with fractions where it has them.
   * @param receivedNs - `messages.receivedNs`.
   * @param handledNs - Monotonic nanoseconds, when the program was done with it.
   */
  record(publishedMs: number, receivedNs: number, handledNs: number): void {
    const publishedNs = (publishedMs - this.#originMs) * NS_PER_MS;
    this.transit.record(receivedNs - publishedNs);
    this.handling.record(handledNs - receivedNs);
    this.age.record(handledNs - publishedNs);
  }

  /** A table in microseconds, for people. */
  table(): string {
    const head = SHARES.map(([name]) => name.padStart(COLUMN_WIDTH)).join("");
    const rows = (["transit", "handling", "age"] as const).map((name) => {
      const cells = SHARES.map(([, share]) => (this[name].percentile(share) / 1_000).toFixed(1));
      return name.padEnd(COLUMN_WIDTH) + cells.map((cell) => cell.padStart(COLUMN_WIDTH)).join("");
    });
    return [`${"µs".padEnd(COLUMN_WIDTH)}${head}`, ...rows].join("\n");
  }

  /** Forgets all values. */
  reset(): void {
    for (const histogram of [this.transit, this.handling, this.age]) histogram.reset();
  }
}
