/**
 * Ratios as bars from 1 on a scale of powers, with the least and the largest of the pairs, and the target.
 */
import { targetOf } from "../targets.mjs";
import { chart, colourOf, dashesOf, element, powerScale, text, ticksBetween } from "./chart.mjs";

/** Of the scale; labels are left of it, figures right. */
const SCALE = 470;
const RIGHT_OF_SCALE = 80;
/** What a letter takes on average. */
const LETTER = 6.2;
const TOP = 44;
const ROW = 24;
const BAR = 14;

export function ratioPlot(workload, { workload: name, comparisons }) {
  const { figures } = workload;
  const [{ unit, better }] = figures;
  const unitOf = (figure) => figures.find(({ key }) => key === figure).unit;
  const rows = comparisons.map((one) => ({
    ...one,
    label: `${one.ours} ÷ ${one.theirs}${figures.length > 1 ? `, ${unitOf(one.figure)}` : ""}`,
    target: targetOf(workload, one.ours, one.theirs)?.target,
  }));
  const left = Math.max(210, ...rows.map(({ label }) => 24 + label.length * LETTER));
  const right = left + SCALE;
  const ends = rows.flatMap(({ min, max, target }) => [min, max, ...(target ? [target] : [])]);
  const least = Math.min(0.8, ...ends) * 0.95;
  const most = Math.max(1.25, ...ends) * 1.05;
  const x = powerScale(least, most, left, right);
  const bottom = TOP + rows.length * ROW;
  const parts = [];
  let last = Number.NEGATIVE_INFINITY;
  for (const tick of ticksBetween(least, most)) {
    const at = x(tick);
    parts.push(
      element("path", { class: tick === 1 ? "mark" : "grid", d: `M${at.toFixed(1)} ${TOP}V${bottom}` }),
    );
    if (at - last < 30) continue;
    last = at;
    parts.push(text(at, bottom + 18, tick, "quiet middle"));
  }
  for (const [index, { ours, label, ratio, min, max, target }] of rows.entries()) {
    const middle = TOP + index * ROW + ROW / 2;
    const [from, to] = [x(1), x(ratio)].sort((a, b) => a - b);
    const isNative = dashesOf(ours) !== undefined;
    parts.push(text(left - 12, middle + 4, label, "end"));
    parts.push(
      element("rect", {
        x: from,
        y: middle - BAR / 2,
        width: Math.max(1, to - from),
        height: BAR,
        fill: colourOf(ours),
        "fill-opacity": isNative ? 0.55 : 1,
      }),
    );
    const range = `M${x(min).toFixed(1)} ${middle}H${x(max).toFixed(1)}M${x(min).toFixed(1)} ${middle - 3}v6M${x(max).toFixed(1)} ${middle - 3}v6`;
    parts.push(element("path", { class: "mark", d: range }));
    if (target) {
      const at = x(target).toFixed(1);
      parts.push(
        element("path", {
          d: `M${at} ${middle - ROW / 2 + 1}v${ROW - 2}`,
          stroke: "#cf222e",
          "stroke-width": 3,
        }),
      );
    }
    parts.push(text(right + 12, middle + 4, ratio.toFixed(2)));
  }
  const direction = better === "more" ? "more is better" : "less is better";
  const hasTarget = rows.some(({ target }) => target);
  const legend = `line: least to largest pair${hasTarget ? "; red: target" : ""}`;
  parts.push(text(left, bottom + 38, legend, "quiet"));
  const of = figures.length > 1 ? "" : `${unit}, `;
  return chart(right + RIGHT_OF_SCALE, bottom + 50, `${name}: ${of}ours ÷ theirs (${direction})`, parts);
}
