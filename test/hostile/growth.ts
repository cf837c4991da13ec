/** Measures how work grows with its input, without any absolute time. */

/** By what the input grows. Linear work then takes 8 times as long, quadratic 64 times. */
const FACTOR = 8;

/** What counts as linear: well above 8 for noise, well below 64. */
export const LINEAR_LIMIT = 28;

/**
 * How many times longer the work takes on an input that is 8 times as large. The best of several runs each, interleaved, so
 * that a neighbour on the machine disturbs both alike.
 *
 * @param prepare - Makes the work for a size; only what it returns is timed.
 */
export function growth(size: number, prepare: (size: number) => () => unknown): number {
  let smallMs = Infinity;
  let largeMs = Infinity;
  for (let round = 0; round < 6; round++) {
    smallMs = Math.min(smallMs, timed(prepare(size)));
    largeMs = Math.min(largeMs, timed(prepare(size * FACTOR)));
  }
  return largeMs / Math.max(smallMs, 0.05);
}

function timed(work: () => unknown): number {
  const startMs = performance.now();
  work();
  return performance.now() - startMs;
}
