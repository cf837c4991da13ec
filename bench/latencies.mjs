/**
 * Percentiles of many slices. Load generators print them at shares of 1 − 10^(−i/4), as far as they have values.
 */
import { median } from "./compare.mjs";

const POINTS_PER_NINE = 4;

/** One in so many values is larger than the point at an index: 1, 1.8, 3.2, 5.6, 10 … */
export function rarityOf(index) {
  return 10 ** (index / POINTS_PER_NINE);
}

/** Takes the percentiles out of the reports: of each point the median of the slices, as far as most slices got. By name. */
export function takePercentiles(rounds) {
  const byName = new Map();
  for (const { name, report } of rounds.flat()) {
    if (report.percentilesNs === undefined) continue;
    byName.set(name, [...(byName.get(name) ?? []), report.percentilesNs]);
    delete report.percentilesNs;
  }
  return Object.fromEntries([...byName].map(([name, slices]) => [name, merge(slices)]));
}

function merge(slices) {
  const points = [];
  for (let index = 0; ; index++) {
    const values = slices.map((slice) => slice[index]).filter((value) => value !== undefined);
    if (values.length * 2 <= slices.length) return points;
    points.push(Math.round(median(values)));
  }
}
