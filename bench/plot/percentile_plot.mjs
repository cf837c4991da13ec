/**
 * Latency by percentile, as HdrHistogram draws it: to the right, each step is ten times as rare.
 */
import { rarityOf } from "../latencies.mjs";
import { chart, colourOf, dashesOf, element, powerScale, text, ticksBetween } from "./chart.mjs";

const WIDTH = 760;
const HEIGHT = 380;
const LEFT = 62;
const RIGHT = 600;
const TOP = 44;
const BOTTOM = 330;
const LEGEND_LINE = 18;

/** "90 %", "99 %", "99.9 %" … for one in ten, in a hundred … */
function percentileText(nines) {
  if (nines === 0) return "0 %";
  return nines <= 2 ? `${"9".repeat(nines)}${nines === 1 ? "0" : ""} %` : `99.${"9".repeat(nines - 2)} %`;
}

const latencyText = (us) => (us >= 1000 ? `${us / 1000} ms` : `${us} µs`);

export function percentilePlot({ workload, percentilesNs }) {
  const lines = Object.entries(percentilesNs).filter(([, points]) => points.length > 1);
  const values = lines.flatMap(([, points]) => points.map((ns) => ns / 1000));
  const least = Math.min(...values) * 0.9;
  const most = Math.max(...values) * 1.1;
  const rarest = rarityOf(Math.max(...lines.map(([, points]) => points.length)) - 1);
  const x = powerScale(1, rarest, LEFT, RIGHT);
  const y = powerScale(least, most, BOTTOM, TOP);
  const parts = [];
  for (const tick of ticksBetween(least, most)) {
    parts.push(element("path", { class: "grid", d: `M${LEFT} ${y(tick).toFixed(1)}H${RIGHT}` }));
    parts.push(text(LEFT - 8, y(tick) + 4, latencyText(tick), "quiet end"));
  }
  for (let nines = 0; 10 ** nines <= rarest * 1.001; nines++) {
    const at = x(10 ** nines);
    parts.push(element("path", { class: "grid", d: `M${at.toFixed(1)} ${TOP}V${BOTTOM}` }));
    parts.push(text(at, BOTTOM + 18, percentileText(nines), "quiet middle"));
  }
  parts.push(text((LEFT + RIGHT) / 2, HEIGHT - 12, "percentile of messages", "quiet middle"));
  for (const [index, [name, points]] of lines.entries()) {
    const d = points
      .map((ns, at) => `${at === 0 ? "M" : "L"}${x(rarityOf(at)).toFixed(1)} ${y(ns / 1000).toFixed(1)}`)
      .join("");
    const stroke = {
      stroke: colourOf(name),
      "stroke-width": name.endsWith(" uring") ? 2.5 : 1.5,
      "stroke-dasharray": dashesOf(name),
      fill: "none",
    };
    const row = TOP + 8 + index * LEGEND_LINE;
    parts.push(element("path", { ...stroke, d, "stroke-linejoin": "round" }));
    parts.push(element("path", { ...stroke, d: `M${RIGHT + 18} ${row - 4}h26` }));
    parts.push(text(RIGHT + 52, row, name));
  }
  return chart(WIDTH, HEIGHT, `${workload}: latency by percentile`, parts);
}
