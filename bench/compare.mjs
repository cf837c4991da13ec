/**
 * Ratios. Machines are shared and noisy, and some change their speed every few seconds: a ratio is taken between slices of one round between which the
 * machine was steady. Two processes of one program are not equally fast, and neither are their first slice and their second: what counts is the mean of a start's
 * rounds, and the median of the starts.
 */
import { interval, median } from "./median.mjs";
import { underOneCondition } from "./speed.mjs";

/** The runs of each participant, under the condition of which there are most. */
export function runsByName(rounds) {
  const byName = new Map();
  for (const run of rounds.flat()) byName.set(run.name, [...(byName.get(run.name) ?? []), run]);
  for (const [name, runs] of byName) {
    byName.set(name, underOneCondition(runs.map((run) => [run])).chosen.flat());
  }
  return byName;
}

/** Both slices of a round, unless one is missing. */
function pairsOf(rounds, ours, theirs) {
  return rounds
    .map((round) => [ours, theirs].map((name) => round.find((run) => run.name === name)))
    .filter((pair) => pair.every((run) => run !== undefined));
}

/** The geometric mean of the ratios of each start. */
function byStart(pairs, ratioOf) {
  const logs = new Map();
  for (const pair of pairs) {
    const start = pair[0].start ?? pair;
    logs.set(start, [...(logs.get(start) ?? []), Math.log(ratioOf(pair))]);
  }
  return [...logs.values()].map((list) => Math.exp(list.reduce((sum, log) => sum + log, 0) / list.length));
}

/**
 * @param workload - From workloads.mjs.
 * @param participants - From participants.mjs.
 * @param rounds - { name, start, report, speeds, others } of each run; `start` says which have the same processes, and is missing where all have
 * their own; the last two as speed.mjs has them, where it was there.
 * @returns For each pair of names and figure: the ratio, between which it lies for all we know (undefined: too few starts), the least and the largest
 * pair, how many pairs count, how many were left out, and the machine's condition.
 */
export function compare(workload, participants, rounds) {
  const comparisons = [];
  for (const { name, peers } of participants) {
    for (const peer of peers) {
      const pairs = pairsOf(rounds, name, peer);
      const { condition, chosen } = underOneCondition(pairs);
      if (chosen.length === 0) continue;
      for (const { key } of workload.figures) {
        const ratioOf = ([ours, theirs]) => ours.report[key] / theirs.report[key];
        const ratios = chosen.map(ratioOf);
        const ofStarts = byStart(chosen, ratioOf);
        comparisons.push({
          ours: name,
          theirs: peer,
          figure: key,
          pairs: chosen.length,
          leftOut: pairs.length - chosen.length,
          condition,
          ratio: median(ofStarts),
          interval: interval(ofStarts),
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
