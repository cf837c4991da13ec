/**
 * Percentiles of many slices. Load generators print them at shares of 1 − 10^(−i/4), as far as they have values.
 */
import { runsByName } from "./compare.mjs";
import { median } from "./median.mjs";

const POINTS_PER_NINE = 4;

/** One in so many values is larger than the point at an index: 1, 1.8, 3.2, 5.6, 10 … */
export function rarityOf(index) {
  return 10 ** (index / POINTS_PER_NINE);
}

/** Takes the percentiles out of the reports: of each point the median of the slices, as far as all have it. By name. */
export function takePercentiles(rounds) {
  const merged = {};
  for (const [name, runs] of runsByName(rounds)) {
    const slices = runs.map(({ report }) => report.percentilesNs ?? []);
    const length = Math.min(...slices.map((slice) => slice.length));
    const points = Array.from({ length }, (_, index) => median(slices.map((slice) => slice[index])));
    if (length > 0) merged[name] = points.map(Math.round);
  }
  for (const { report } of rounds.flat()) delete report.percentilesNs;
  return merged;
}
