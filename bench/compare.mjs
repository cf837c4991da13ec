/**
 * Ratios. Machines are shared and noisy, and some change their speed every few seconds: a ratio is taken between runs that
 * followed one another, and the median of the rounds is quoted with its extremes.
 */
import { targetOf } from "./workloads.mjs";

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The run of `name` that was nearest in time to the run at `index`; undefined when it never ran. */
function nearest(round, index, name) {
  const distance = (run) => Math.abs(round.indexOf(run) - index);
  return round.filter((run) => run.name === name).sort((a, b) => distance(a) - distance(b))[0];
}

/**
 * @param workload - From workloads.mjs.
 * @param participants - From participants.mjs.
 * @param rounds - Per round, in the order of time: { name, report } of each run.
 */
export function compare(workload, participants, rounds) {
  const comparisons = [];
  for (const { name, peers } of participants) {
    for (const peer of peers) {
      const ratios = [];
      for (const round of rounds) {
        const index = round.findIndex((run) => run.name === name);
        const other = nearest(round, index, peer);
        if (index < 0 || other === undefined) continue;
        ratios.push(round[index].report[workload.figure] / other.report[workload.figure]);
      }
      if (ratios.length === 0) continue;
      const ratio = median(ratios);
      const target = targetOf(workload, name, peer);
      comparisons.push({
        ours: name,
        theirs: peer,
        pairs: ratios.length,
        ratio,
        min: Math.min(...ratios),
        max: Math.max(...ratios),
        ...(target ? { target, verdict: judge(ratio, target, workload.better) } : {}),
      });
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
