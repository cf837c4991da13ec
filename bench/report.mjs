/**
 * One result as tables: on the terminal, and as a section of bench/RESULTS.md.
 */
import { runsByName, saturation } from "./compare.mjs";
import { median } from "./median.mjs";
import { megabytes, microseconds, percent, rate, ratioText, table, tenths, whole } from "./table.mjs";
import { targetText, verdicts } from "./targets.mjs";
import { WORKLOADS } from "./workloads.mjs";

/** Of interest where a workload is about latency. */
const TAIL = [
  ["p99.9 µs", ({ p999Ns }) => p999Ns, microseconds],
  ["max µs", ({ maxNs }) => maxNs, microseconds],
];

/** Head, value and text of the columns; a column is there when reports have its value. */
const COLUMNS = [
  ["msg/s", ({ messagesPerSecond }) => messagesPerSecond, rate],
  ["conn/s", ({ connectionsPerSecond }) => connectionsPerSecond, rate],
  ["B each", ({ bytesPerConnection }) => bytesPerConnection, whole],
  ["B each with garbage", ({ untidiedBytesPerConnection }) => untidiedBytesPerConnection, whole],
  ["opened/s", ({ openedPerSecond }) => openedPerSecond, rate],
  ["Send µs", ({ sendNs }) => sendNs, microseconds],
  ["Echo µs", ({ echoNs }) => echoNs, microseconds],
  ["Recv µs", ({ recvNs }) => recvNs, microseconds],
  ["p50 µs", ({ p50Ns }) => p50Ns, microseconds],
  ["p99 µs", ({ p99Ns }) => p99Ns, microseconds],
  ...TAIL,
  ["its CPU", ({ serverCpuPercent }) => serverCpuPercent, percent],
  ["load's CPU", ({ loadCpuPercent }) => loadCpuPercent, percent],
  [
    "its ns/msg",
    ({ serverCpuPercent, messagesPerSecond }) =>
      messagesPerSecond && serverCpuPercent && (serverCpuPercent * 1e7) / messagesPerSecond,
    whole,
  ],
  ["its µs/conn", ({ serverUsPerConnection }) => serverUsPerConnection, tenths],
  ["resumed", ({ resumedPercent }) => resumedPercent, percent],
  ["wire B/msg", ({ wireBytesPerMessage }) => wireBytesPerMessage, tenths],
  [
    "of plain",
    ({ wireBytesPerMessage, textBytesPerMessage }) =>
      wireBytesPerMessage && (wireBytesPerMessage / textBytesPerMessage) * 100,
    percent,
  ],
  ["its MB", ({ serverBytes }) => serverBytes, megabytes],
  ["load's MB", ({ loadBytes }) => loadBytes, megabytes],
];

/** Whose latencies are measured by who does not sleep. */
const POLLING_MODES = ["pingpong", "rate"];

/** The medians of each participant, in the order in which they ran. */
function figureTable(workload, runs) {
  const of = (name, value) => median(runs.get(name).map(({ report }) => value(report)));
  const reports = [...runs.values()].flat().map(({ report }) => report);
  const columns = COLUMNS.filter(
    (column) =>
      (workload.showsLatency || !TAIL.includes(column)) && reports.some((report) => column[1](report)),
  );
  const isPolling = POLLING_MODES.includes(workload.load.mode);
  const showsSaturation = reports.some(({ loadCpuPercent }) => loadCpuPercent !== undefined);
  const saturated = (name) =>
    saturation(
      {
        serverCpuPercent: of(name, ({ serverCpuPercent }) => serverCpuPercent),
        loadCpuPercent: of(name, ({ loadCpuPercent }) => loadCpuPercent),
      },
      isPolling,
    );
  const rows = [...runs.keys()].map((name) => [
    name,
    ...columns.map(([, value, text]) => text(of(name, value))),
    ...(showsSaturation ? [saturated(name)] : []),
  ]);
  const head = ["program", ...columns.map(([text]) => text), ...(showsSaturation ? ["saturated"] : [])];
  return table(head, rows);
}

/** Unit of a figure of a workload. */
export function unitOf(workload, key) {
  return workload.figures.find((figure) => figure.key === key).unit;
}

/** How many pairs count, and what is to be said of them. */
function pairsText({ pairs, leftOut, condition }) {
  const of = leftOut > 0 ? `${pairs} of ${pairs + leftOut}` : String(pairs);
  return condition === "near" ? of : `${of}, ${condition === "far" ? "cores apart" : "unsteady"}`;
}

export function rangeText([least, most]) {
  return `${ratioText(least)} – ${ratioText(most)}`;
}

function ratioTable(workload, { comparisons }, targets) {
  const several = workload.figures.length > 1;
  const rows = comparisons.map((one) => {
    const what = `${one.ours} ÷ ${one.theirs}`;
    const target = targets.find((each) => each.what === what && each.figure === one.figure);
    return [
      `${what}${several ? `, ${unitOf(workload, one.figure)}` : ""}`,
      ratioText(one.ratio),
      one.interval ? rangeText(one.interval) : "",
      rangeText([one.min, one.max]),
      pairsText(one),
      target ? targetText(target) : "",
    ];
  });
  const unit = several ? "" : `${workload.figures[0].unit}, `;
  return table([`${unit}ours ÷ theirs`, "median", "is between", "min – max", "pairs", "target"], rows);
}

/** Targets that are no ratio. */
function limitText(workload, limits) {
  const rows = limits.map((one) => [
    one.what,
    `${whole(one.value)} ${unitOf(workload, one.figure)}`,
    targetText(one),
  ]);
  return table(["program", "median", "target"], rows);
}

export function failuresText({ failures }) {
  return `**Failed**: ${failures.join("; ")}`;
}

/** The tables of one result. */
export function resultText(result) {
  const workload = WORKLOADS[result.workload];
  const runs = runsByName(result.rounds);
  const targets = verdicts(workload, result);
  const limits = targets.filter(({ isRatio }) => !isRatio);
  const parts = [];
  if (result.comparisons.length > 0) parts.push(ratioTable(workload, result, targets));
  if (limits.length > 0) parts.push(limitText(workload, limits));
  if (runs.size > 0) parts.push(figureTable(workload, runs));
  if (result.failures.length > 0) parts.push(failuresText(result));
  return parts.join("\n\n");
}
