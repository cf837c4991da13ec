/**
 * Ratios. Machines are shared and noisy, and some change their speed every few seconds: a ratio is taken between slices of one round between which the
 * machine was steady and its cores together, and the median of the rounds is quoted with its extremes.
 */
import { underBestCondition } from "./speed.mjs";

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The runs of each participant, under the best condition of which there are some. */
export function runsByName(rounds) {
  const byName = new Map();
  for (const run of rounds.flat()) byName.set(run.name, [...(byName.get(run.name) ?? []), run]);
  for (const [name, runs] of byName) {
    byName.set(name, underBestCondition(runs.map((run) => [run])).chosen.flat());
  }
  return byName;
}

/** Both slices of a round, unless one is missing. */
function pairsOf(rounds, ours, theirs) {
  return rounds
    .map((round) => [ours, theirs].map((name) => round.find((run) => run.name === name)))
    .filter((pair) => pair.every((run) => run !== undefined));
}

/**
 * @param workload - From workloads.mjs.
 * @param participants - From participants.mjs.
 * @param rounds - { name, report, speeds, others } of each run; the last two as speed.mjs has them, where it was there.
 * @returns For each pair of names and figure: the ratio, its extremes, how many pairs count, how many were left out, and the machine's
 * condition.
 */
export function compare(workload, participants, rounds) {
  const comparisons = [];
  for (const { name, peers } of participants) {
    for (const peer of peers) {
      const pairs = pairsOf(rounds, name, peer);
      const { condition, chosen } = underBestCondition(pairs);
      if (chosen.length === 0) continue;
      for (const { key } of workload.figures) {
        const ratios = chosen.map(([ours, theirs]) => ours.report[key] / theirs.report[key]);
        comparisons.push({
          ours: name,
          theirs: peer,
          figure: key,
          pairs: chosen.length,
          leftOut: pairs.length - chosen.length,
          condition,
          ratio: median(ratios),
          min: Math.min(...ratios),
          max: Math.max(...ratios),
        });
      }
    }
  }
  return comparisons;
}

/** Which side was the bottleneck, from the shares of their cores. */
export function saturation({ loadCpuPercent, serverCpuPercent }, isPolling) {
  if (isPolling) return serverCpuPercent >= 95 ? "server busy (the client polls)" : "latency";
  if (loadCpuPercent >= 90) return serverCpuPercent >= 90 ? "both cores" : "load generator";
  return serverCpuPercent >= 90 ? "server" : "neither";
}

/**
 * What two runs of the same workload say about the same ratios.
 *
 * @param result - As kept; `before` holds the comparisons of the run before it.
 * @returns { before, after, difference, isComparable } for each ratio that both have; `difference` is a share of the smaller one. Those of an unsteady machine, or of
 * cores that were apart in one of the two only, cannot be compared.
 */
export function repeatability({ comparisons = [], before }) {
  const rows = [];
  for (const after of comparisons) {
    const same = before?.comparisons.find(
      ({ ours, theirs, figure }) => ours === after.ours && theirs === after.theirs && figure === after.figure,
    );
    if (same === undefined) continue;
    const [small, large] = [same.ratio, after.ratio].sort((a, b) => a - b);
    rows.push({
      before: same,
      after,
      difference: large / small - 1,
      isComparable: same.condition === after.condition && after.condition !== "unsteady",
    });
  }
  return rows;
}
