/**
 * From results to text: tables for the terminal, and bench/RESULTS.md with its pictures from everything under bench/results.
 */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../scripts/setup/command.mjs";
import { median, runsByName, saturation } from "./compare.mjs";
import { peerTable } from "./peer_options.mjs";
import { percentilePlot } from "./plot/percentile_plot.mjs";
import { ratioPlot } from "./plot/ratio_plot.mjs";
import { readResults } from "./results.mjs";
import { MICRO_BENCHES, WORKLOADS } from "./workloads.mjs";

function rate(perSecond) {
  return perSecond >= 1e6 ? `${(perSecond / 1e6).toFixed(2)} M` : `${(perSecond / 1e3).toFixed(1)} k`;
}

function microseconds(ns) {
  return (ns / 1000).toFixed(ns < 100_000 ? 1 : 0);
}

const percent = (value) => `${value.toFixed(0)} %`;
const whole = (value) => value.toFixed(0);
const megabytes = (bytes) => (bytes / 1e6).toFixed(0);
const tenths = (value) => value.toFixed(1);

const TEXTS = {
  messagesPerSecond: rate,
  connectionsPerSecond: rate,
  bytesPerConnection: whole,
  sendNs: microseconds,
  echoNs: microseconds,
  recvNs: microseconds,
  p50Ns: microseconds,
  p99Ns: microseconds,
};

/** A figure that counts, with its unit. */
export function figureText({ key, unit }, report) {
  return `${TEXTS[key](report[key])} ${unit}`;
}

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
  ["p99.9 µs", ({ p999Ns }) => p999Ns, microseconds],
  ["max µs", ({ maxNs }) => maxNs, microseconds],
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

/** A Markdown table whose columns also line up in a terminal. */
function table(head, rows) {
  const widths = head.map((text, column) => Math.max(text.length, ...rows.map((row) => row[column].length)));
  const line = (cells) => `| ${cells.map((text, column) => text.padEnd(widths[column])).join(" | ")} |`;
  return [line(head), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...rows.map(line)].join(
    "\n",
  );
}

/** The medians of each participant, in the order in which they ran. */
function figureTable(workload, runs) {
  const of = (name, value) => median(runs.get(name).map(({ report }) => value(report)));
  const reports = [...runs.values()].flat().map(({ report }) => report);
  const columns = COLUMNS.filter(([, value]) => reports.some((report) => value(report) !== undefined));
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

function unitOf(workload, key) {
  return workload.figures.find((figure) => figure.key === key);
}

/** "≥ 1.5 (now ≥ 1.2): reached", and by how much where it is missed. */
function targetText(workload, { figure, ratio, target, verdict }) {
  if (!target) return "";
  const sign = unitOf(workload, figure).better === "more" ? "≥" : "≤";
  const now = target.now === undefined ? "" : ` (now ${sign} ${target.now})`;
  const by = verdict === "reached" ? "" : ` by ${(Math.abs(1 - ratio / target.final) * 100).toFixed(0)} %`;
  const outcome =
    verdict === "missed" ? `missed${by}` : verdict === "reached" ? verdict : `${verdict}, missed${by}`;
  return `${sign} ${target.final}${now}: ${outcome}`;
}

/** How many pairs count, and what is to be said of them. */
function pairsText({ pairs, leftOut, condition }) {
  const of = leftOut > 0 ? `${pairs} of ${pairs + leftOut}` : String(pairs);
  return condition === "near" ? of : `${of}, ${condition === "far" ? "cores apart" : "unsteady"}`;
}

function ratioTable(workload, comparisons) {
  const several = workload.figures.length > 1;
  const rows = comparisons.map((one) => [
    `${one.ours} ÷ ${one.theirs}${several ? `, ${unitOf(workload, one.figure).unit}` : ""}`,
    one.ratio.toFixed(2),
    `${one.min.toFixed(2)} – ${one.max.toFixed(2)}`,
    pairsText(one),
    targetText(workload, one),
  ]);
  const unit = several ? "" : `${workload.figures[0].unit}, `;
  return table([`${unit}ours ÷ theirs`, "median", "min – max", "pairs", "target"], rows);
}

/** Where a figure itself, and not a ratio, has a target. */
function limitText({ limit, figures }, runs) {
  const [{ key, unit }] = figures;
  const names = [...runs.keys()].filter((name) => name.endsWith(limit.names));
  const parts = names.map((name) => {
    const value = median(runs.get(name).map(({ report }) => report[key]));
    return `${name} ${value <= limit.most ? "reached" : `missed by ${whole(value - limit.most)} ${unit}`}`;
  });
  return `Target: at most ${limit.most.toLocaleString("en")} ${unit}: ${parts.join(", ")}.`;
}

/** The tables of one result. */
export function resultText(result) {
  const workload = WORKLOADS[result.workload];
  const runs = runsByName(result.rounds);
  const parts = [];
  if (result.comparisons.length > 0) parts.push(ratioTable(workload, result.comparisons));
  if (runs.size > 0) parts.push(figureTable(workload, runs));
  if (workload.limit && result.comparisons.length > 0) parts.push(limitText(workload, runs));
  if (result.failures.length > 0) parts.push(`Failed: ${result.failures.join("; ")}`);
  return parts.join("\n\n");
}

/** How far the ratios of two runs are apart, the furthest of each workload first. */
export function repeatabilityText(rows) {
  if (rows.length === 0) return "There are no two results of any workload yet.";
  const sorted = [...rows].sort((a, b) => b.difference - a.difference);
  const cells = sorted.map(({ workload, row, figure, before, after, difference, isSameCondition }) => [
    workload,
    row,
    unitOf(WORKLOADS[workload], figure).unit,
    before.toFixed(2),
    after.toFixed(2),
    `${(difference * 100).toFixed(1)} %${isSameCondition ? "" : ", cores apart in one of them"}`,
  ]);
  const comparable = rows.filter(({ isSameCondition }) => isSameCondition);
  const within = comparable.filter(({ difference }) => difference <= 0.1).length;
  return `${table(["workload", "ratio", "of", "before", "now", "apart"], cells)}\n\n${within} of ${comparable.length} ratios that were measured under the same condition are within 10 %.`;
}

function machineText({ date, kernel, cpu, cores, commit, loadAverage, versions }) {
  const list = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${date} UTC, ${cpu}, ${cores} cores, Linux ${kernel}, load average ${loadAverage} at the start; ${list.join(", ")}, commit ${commit}.`;
}

const INTRODUCTION = `# What we measured

Made by \`npm run bench\` from the files in bench/results; do not edit. Each section names the command that
made it. Server and load generator run on a core each of one machine, over loopback; all programs are set to the same options, and ours
run from dist/, as published. A slice is a fraction of a second; those that are compared are measured right after one another, A B C and
then C B A, while all others are stopped, and every three rounds all start afresh. Cores are kept awake by threads that give way to everybody, and before and after each slice they do
a fixed piece of work: pairs between which they changed their speed by more than 15 %, or were so far apart that they shared no cache (hosts move virtual
cores; a cache line takes 480 ns then instead of 90, and who talks across cores has half the speed), are left out, unless there are no others; then the row says "cores apart". The median of the pairs is quoted, with the least and the largest.

Absolute figures are context: they say more about the machine than about the programs. Where the loop is closed (a message is sent when one has come back),
latencies of a throughput test are those of a full pipeline, and not corrected for coordinated omission; \`rate\` is. Where the load generator is
saturated, the figure is what it could ask for, not what the server could give; where neither is, something else
took the cores meanwhile, or both waited for each other. In the pictures, latencies are the medians of the slices at each percentile, on scales of powers.`;

/** Every ratio that has a target. */
function targetTable(results) {
  const rows = Object.values(results).flatMap(({ workload, comparisons = [] }) =>
    comparisons
      .filter(({ target }) => target)
      .map((one) => [
        workload,
        unitOf(WORKLOADS[workload], one.figure).unit,
        `${one.ours} ÷ ${one.theirs}`,
        one.ratio.toFixed(2),
        targetText(WORKLOADS[workload], one),
      ]),
  );
  return rows.length === 0 ? "" : table(["workload", "figure", "ratio", "median", "target"], rows);
}

/** Draws what a result has to show. Returns the Markdown that shows it. */
function pictures(result, workload, folder) {
  const shown = [];
  const draw = (kind, what, svg) => {
    const path = join(folder, `${result.workload}-${kind}.svg`);
    if (svg === undefined) return rmSync(path, { force: true });
    writeFileSync(path, svg);
    shown.push(`![${what}](results/${result.workload}-${kind}.svg)`);
  };
  const comparisons = result.comparisons ?? [];
  draw(
    "ratios",
    `Ratios of ${result.workload}`,
    comparisons.length > 0 ? ratioPlot(workload, result) : undefined,
  );
  draw(
    "latency",
    `Latencies of ${result.workload} by percentile`,
    workload.showsLatency && Object.keys(result.percentilesNs ?? {}).length > 0
      ? percentilePlot(result)
      : undefined,
  );
  return shown.join("\n\n");
}

/** Rewrites bench/RESULTS.md and the pictures from the results that are there. */
export function writeResults(folder) {
  const results = readResults(folder);
  const sections = [];
  for (const [name, workload] of [...Object.entries(WORKLOADS), ...Object.entries(MICRO_BENCHES)]) {
    const result = results[name];
    if (result === undefined) continue;
    const { title } = workload;
    sections.push(`## ${name}\n\n${title[0].toUpperCase()}${title.slice(1)}.`);
    sections.push(`\`${result.command}\`\n\n${machineText(result.machine)}`);
    if (result.outputs) {
      for (const [runtime, output] of Object.entries(result.outputs)) {
        sections.push(`### ${runtime}\n\n\`\`\`text\n${output.trim()}\n\`\`\``);
      }
    } else {
      sections.push(resultText(result), pictures(result, workload, folder));
    }
  }
  const known = Object.fromEntries(
    Object.keys(WORKLOADS)
      .filter((name) => results[name]?.rounds)
      .map((name) => [name, results[name]]),
  );
  const targets = targetTable(known);
  const participants = table(["participant", "version", "options"], peerTable());
  const parts = [
    INTRODUCTION,
    targets && `## Targets\n\n${targets}`,
    `## Participants\n\n${participants}`,
    ...sections,
  ].filter((part) => part !== "");
  writeFileSync(join(ROOT, "bench/RESULTS.md"), `${parts.join("\n\n")}\n`);
}
