/**
 * Measuring twice in a row, and what the second time says about the ratios of the first.
 */
import { rangeText, unitOf } from "./report.mjs";
import { ratioText, table } from "./table.mjs";
import { WORKLOADS } from "./workloads.mjs";

/** Two times whose ratios differ by no more say the same. */
const SAME_WITHIN = 0.1;
/** How many groups may be measured a third time, because the machine was not the same the second: on one that never is, all would be. */
let thirdTimes = 20;

/**
 * What two times say about the same ratios.
 *
 * @param twice - The comparisons of both, as compare.mjs has them.
 * @returns { before, after, difference, isComparable } for each ratio that both have; `difference` is a share of the smaller one. Those of an unsteady machine, or of
 * cores that were apart in one of the two only, cannot be compared.
 */
export function repeatability([first, second]) {
  const rows = [];
  for (const after of second) {
    const before = first.find(
      ({ ours, theirs, figure }) => ours === after.ours && theirs === after.theirs && figure === after.figure,
    );
    if (before === undefined) continue;
    const [small, large] = [before.ratio, after.ratio].sort((a, b) => a - b);
    rows.push({
      before,
      after,
      difference: large / small - 1,
      isComparable: before.condition === after.condition && after.condition !== "unsteady",
    });
  }
  return rows;
}

/**
 * Measures twice, one right after the other; once more where the machine was not the same.
 *
 * @param measure - Measures once, from new processes, and resolves with rounds.
 * @param comparisonsOf - Ratios of such rounds.
 * @returns The rounds of both times; of three, those of the two between which the machine was the same, or the last two.
 */
export async function measureTwice(measure, comparisonsOf) {
  const isSame = (...times) =>
    repeatability(times.map(comparisonsOf)).every(({ isComparable }) => isComparable);
  const [first, second] = [await measure(), await measure()];
  if (isSame(first, second) || thirdTimes-- <= 0) return [first, second];
  const third = await measure();
  return [isSame(first, third) ? first : second, third];
}

/** A value below which a share of all are. */
function quantile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

const percentText = (share) => `${(share * 100).toFixed(0)} %`;
const CONDITIONS = { near: "cores together", far: "cores apart", unsteady: "unsteady" };

function ratioAndRange({ ratio, min, max }) {
  return `${ratioText(ratio)} (${rangeText([min, max])})`;
}

function row({ workload, before, after, difference, isComparable }) {
  return [
    workload,
    `${after.ours} ÷ ${after.theirs}`,
    unitOf(WORKLOADS[workload], after.figure),
    ratioAndRange(before),
    ratioAndRange(after),
    isComparable
      ? percentText(difference)
      : [...new Set([before, after].map(({ condition }) => CONDITIONS[condition]))].join(", then "),
    (isComparable && WORKLOADS[workload].spread) || "",
  ];
}

/** What the second time says about all that was measured twice; ratios that differ, and those of two different machines, one by one. */
export function repetitionText(results) {
  const rows = results
    .filter(({ twice }) => twice)
    .flatMap(({ workload, twice }) => repeatability(twice).map((each) => ({ workload, ...each })))
    .sort((a, b) => b.difference - a.difference);
  if (rows.length === 0) return "Nothing has been measured twice in a row yet.";
  const comparable = rows.filter(({ isComparable }) => isComparable);
  const differing = comparable.filter(({ difference }) => difference > SAME_WITHIN);
  const others = rows.filter(({ isComparable }) => !isComparable);
  const differences = comparable.map(({ difference }) => difference).reverse();
  const sentences = [
    `${comparable.length - differing.length} of ${comparable.length} ratios are within ${percentText(SAME_WITHIN)} of each other`,
    comparable.length > 0
      ? `: half within ${percentText(quantile(differences, 0.5))}, nine tenths within ${percentText(quantile(differences, 0.9))}.`
      : ".",
  ];
  if (others.length > 0)
    sentences.push(` ${others.length} more cannot be compared: the machine was not the same.`);
  const cells = [...differing, ...others].map(row);
  const head = ["those that are not", "ratio", "figure", "first (min – max)", "second", "apart", "why"];
  return cells.length > 0 ? `${sentences.join("")}\n\n${table(head, cells)}` : sentences.join("");
}
