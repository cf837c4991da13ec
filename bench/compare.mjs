/**
 * Ratios. Machines are shared and noisy: a ratio is taken within one round, where both programs ran
 * seconds apart, and the median of the rounds is quoted with its extremes.
 */
import { targetOf } from "./workloads.mjs";

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * @param workload - From workloads.mjs.
 * @param participants - From participants.mjs.
 * @param rounds - One object per round: participant name → report of the load generator.
 */
export function compare(workload, participants, rounds) {
  const comparisons = [];
  for (const { name, peers } of participants) {
    for (const peer of peers) {
      const both = rounds.filter((round) => round[name] && round[peer]);
      if (both.length === 0) continue;
      const ratios = both.map((round) => round[name][workload.figure] / round[peer][workload.figure]);
      const ratio = median(ratios);
      const target = targetOf(workload, name, peer);
      comparisons.push({
        ours: name,
        theirs: peer,
        pairs: both.length,
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
