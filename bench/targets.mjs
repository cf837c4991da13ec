/**
 * What we mean to reach, how far it was reached, and why it was not where it was not.
 */
import { runsByName } from "./compare.mjs";
import { EXPLANATIONS } from "./explanations.mjs";
import { median } from "./median.mjs";

// Keys are "ours/theirs". A star in place of ours stands for every runtime, but not for its own sockets; alone, for every ratio.
/** The key and the value of a ratio's target, if it has one. */
export function targetOf({ targets }, ours, theirs) {
  const keys = [`${ours}/${theirs}`, ...(ours.endsWith(" native") ? [] : [`*/${theirs}`]), "*"];
  const key = keys.find((each) => targets[each] !== undefined);
  return key === undefined ? undefined : { key, target: targets[key] };
}

/** What limits us and what was tried, if somebody has written that down. */
function explanationOf(name, key, figure) {
  return EXPLANATIONS.find(
    ({ workloads, target, figures }) =>
      workloads.includes(name) && target === key && (figures?.includes(figure) ?? true),
  );
}

/** How far `value` misses a target, as a share of it; 0 where it is reached. */
function shortfall(value, target, better) {
  return Math.max(0, better === "more" ? 1 - value / target : value / target - 1);
}

/** A figure that has a target itself, and not a ratio of it: what is measured of each participant that it concerns. */
function limitVerdicts({ limit, figures: [{ key: figure, better }] }, { workload: name, rounds }) {
  return [...runsByName(rounds)]
    .filter(([participant]) => participant.endsWith(limit.names))
    .map(([what, runs]) => {
      const value = median(runs.map(({ report }) => report[figure]));
      const missedBy = shortfall(value, limit.most, better);
      const explanation = explanationOf(name, "limit", figure);
      return { what, figure, isRatio: false, value, target: limit.most, better, missedBy, explanation };
    });
}

/**
 * All targets of a workload.
 *
 * @param result - As kept.
 * @returns { what, figure, isRatio, value, target, better, missedBy, explanation } of each; `explanation` is one of EXPLANATIONS, or undefined.
 */
export function verdicts(workload, result) {
  const ofRatios = result.comparisons.flatMap(({ ours, theirs, figure, ratio }) => {
    const found = targetOf(workload, ours, theirs);
    if (found === undefined) return [];
    const { better } = workload.figures.find(({ key }) => key === figure);
    const missedBy = shortfall(ratio, found.target, better);
    const explanation = explanationOf(result.workload, found.key, figure);
    const what = `${ours} ÷ ${theirs}`;
    return [
      { what, figure, isRatio: true, value: ratio, target: found.target, better, missedBy, explanation },
    ];
  });
  return [
    ...ofRatios,
    ...(workload.limit && result.comparisons.length > 0 ? limitVerdicts(workload, result) : []),
  ];
}

/** "≥ 1.5: reached", or by how much it is missed. */
export function targetText({ target, better, missedBy }) {
  const sign = better === "more" ? "≥" : "≤";
  return `${sign} ${target.toLocaleString("en")}: ${missedBy === 0 ? "reached" : `missed by ${shareText(missedBy)}`}`;
}

function shareText(share) {
  return `${(share * 100).toFixed(share < 0.01 ? 1 : 0)} %`;
}
