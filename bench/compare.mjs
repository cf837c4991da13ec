/**
 * Ratios. Machines are shared and noisy, and some change their speed every few seconds: a ratio is taken between slices of one round between which the
 * machine was steady and its cores together, and the median of the rounds is quoted with its extremes.
 */
import { underBestCondition } from "./speed.mjs";
import { targetOf } from "./workloads.mjs";

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
    byName.set(name, underBestCondition(runs, ({ speeds = [] }) => speeds).chosen);
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
 * @param rounds - { name, report, speeds } of each run; `speeds` are readings of the speedometer, where there were any.
 * @returns For each pair of names and figure: the ratio, its extremes, how many pairs count, how many were left out, and the machine's
 * condition.
 */
export function compare(workload, participants, rounds) {
  const comparisons = [];
  for (const { name, peers } of participants) {
    for (const peer of peers) {
      const pairs = pairsOf(rounds, name, peer);
      const { condition, chosen } = underBestCondition(pairs, (pair) =>
        pair.flatMap(({ speeds = [] }) => speeds),
      );
      if (chosen.length === 0) continue;
      for (const { key, better } of workload.figures) {
        const ratios = chosen.map(([ours, theirs]) => ours.report[key] / theirs.report[key]);
        const ratio = median(ratios);
        const target = targetOf(workload, name, peer);
        comparisons.push({
          ours: name,
          theirs: peer,
          figure: key,
          pairs: chosen.length,
          leftOut: pairs.length - chosen.length,
          condition,
          ratio,
          min: Math.min(...ratios),
          max: Math.max(...ratios),
          ...(target ? { target, verdict: judge(ratio, target, better) } : {}),
        });
      }
    }
  }
  return comparisons;
}

function judge(ratio, { final, now = final }, better) {
  const reaches = (mark) => (better === "more" ? ratio >= mark : ratio <= mark);
  if (reaches(final)) return "reached";
  return reaches(now) ? "reached for now" : "missed";
}

/** Which side was the bottleneck, from the shares of their cores. */
export function saturation({ loadCpuPercent, serverCpuPercent }, isPolling) {
  if (isPolling) return serverCpuPercent >= 95 ? "server busy (the client polls)" : "latency";
  if (loadCpuPercent >= 90) return serverCpuPercent >= 90 ? "both cores" : "load generator";
  return serverCpuPercent >= 90 ? "server" : "neither";
}

/**
 * What two runs of the same workloads say about the same ratios.
 *
 * @param before - Results by name of the workload, as kept; `after` the same.
 * @returns { workload, row, figure, before, after, difference, isSameCondition } for each ratio that both have; `difference` is a share of the smaller one.
 */
export function repeatability(before, after) {
  const rows = [];
  for (const [workload, result] of Object.entries(after)) {
    for (const one of result.comparisons ?? []) {
      const same = before[workload]?.comparisons?.find(
        (other) => other.ours === one.ours && other.theirs === one.theirs && other.figure === one.figure,
      );
      if (same === undefined) continue;
      const [small, large] = [same.ratio, one.ratio].sort((a, b) => a - b);
      rows.push({
        workload,
        row: `${one.ours} ÷ ${one.theirs}`,
        figure: one.figure,
        before: same.ratio,
        after: one.ratio,
        difference: large / small - 1,
        isSameCondition: same.condition === one.condition,
      });
    }
  }
  return rows;
}
