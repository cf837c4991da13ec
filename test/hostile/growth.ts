/** Measures how work grows with its input, without any absolute time. */

/** By what the input grows. Linear work then takes 16 times as long, quadratic 256 times. */
const FACTOR = 16;

/** What counts as linear: well above 16, because collectors and caches have their share, and well below 256. */
export const LINEAR_LIMIT = 90;

/**
 * How many times longer the work takes on an input that is 16 times as large. The best of several runs each, interleaved, so
 * that a neighbour on the machine disturbs both alike; and the best of several such measurements, because what is quadratic
 * is so every time.
 *
 * @param prepare - Makes the work for a size; only what it returns is timed.
 */
export function growth(size: number, prepare: (size: number) => () => unknown): number {
  let best = Infinity;
  for (let tries = 0; tries < 4 && best > LINEAR_LIMIT / 2; tries++)
    best = Math.min(best, measured(size, prepare));
  return best;
}

function measured(size: number, prepare: (size: number) => () => unknown): number {
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
