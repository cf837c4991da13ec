/**
 * From results to text: tables for the terminal, and bench/RESULTS.md from everything under bench/results.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../scripts/setup/command.mjs";
import { median, saturation } from "./compare.mjs";
import { MICRO_BENCHES, WORKLOADS } from "./workloads.mjs";

function rate(perSecond) {
  return perSecond >= 1e6 ? `${(perSecond / 1e6).toFixed(2)} M` : `${(perSecond / 1e3).toFixed(1)} k`;
}

function microseconds(ns) {
  return (ns / 1000).toFixed(ns < 100_000 ? 1 : 0);
}

function targetText({ target, verdict }, better) {
  if (!target) return "";
  const sign = better === "more" ? "≥" : "≤";
  const now = target.now === undefined ? "" : ` (now ${sign} ${target.now})`;
  return `${sign} ${target.final}${now}: ${verdict}`;
}

/** A Markdown table whose columns also line up in a terminal. */
function table(head, rows) {
  const widths = head.map((text, column) => Math.max(text.length, ...rows.map((row) => row[column].length)));
  const line = (cells) => `| ${cells.map((text, column) => text.padEnd(widths[column])).join(" | ")} |`;
  return [line(head), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...rows.map(line)].join(
    "\n",
  );
}

/** What is left of a message's bytes on the wire. */
function shareText(of, name) {
  return `${((of(name, "wireBytesPerMessage") / of(name, "textBytesPerMessage")) * 100).toFixed(1)} %`;
}

/** The tables of one result. */
export function resultText(result) {
  const workload = WORKLOADS[result.workload];
  const runs = result.rounds.flat();
  const of = (name, key) => median(runs.filter((run) => run.name === name).map((run) => run.report[key]));
  const names = [...new Set(runs.map((run) => run.name))];
  const isPolling = workload.load.mode === "pingpong";
  const isFeed = workload.feed !== undefined;
  const isConnect = workload.program === "connect";
  const figures = names.map((name) => {
    const cpu = {
      serverCpuPercent: of(name, "serverCpuPercent"),
      loadCpuPercent: of(name, "loadCpuPercent"),
    };
    return [
      name,
      rate(of(name, isConnect ? "connectionsPerSecond" : "messagesPerSecond")),
      ...["p50Ns", "p99Ns", "p999Ns", "maxNs"].map((key) => microseconds(of(name, key))),
      `${cpu.serverCpuPercent.toFixed(0)} %`,
      `${cpu.loadCpuPercent.toFixed(0)} %`,
      saturation(cpu, isPolling),
      ...(isFeed ? [of(name, "wireBytesPerMessage").toFixed(1), shareText(of, name)] : []),
      ...(isConnect ? [of(name, "serverUsPerConnection").toFixed(1)] : []),
      ...(workload.load.resume ? [`${of(name, "resumedPercent").toFixed(0)} %`] : []),
    ];
  });
  const ratios = result.comparisons.map((comparison) => [
    `${comparison.ours} ÷ ${comparison.theirs}`,
    comparison.ratio.toFixed(2),
    `${comparison.min.toFixed(2)} – ${comparison.max.toFixed(2)}`,
    String(comparison.pairs),
    targetText(comparison, workload.better),
  ]);
  const head = [
    "server",
    isConnect ? "conn/s" : "msg/s",
    "p50 µs",
    "p99 µs",
    "p99.9 µs",
    "max µs",
    "its CPU",
    "load's CPU",
    "saturated",
    ...(isFeed ? ["wire B/msg", "of plain"] : []),
    ...(isConnect ? ["its µs each"] : []),
    ...(workload.load.resume ? ["resumed"] : []),
  ];
  const parts = [];
  if (ratios.length > 0) {
    parts.push(table([`${workload.unit}, ours ÷ theirs`, "median", "min – max", "pairs", "target"], ratios));
  }
  parts.push(table(head, figures));
  if (result.failures.length > 0) parts.push(`Failed: ${result.failures.join("; ")}`);
  return parts.join("\n\n");
}

function machineText({ date, kernel, cpu, cores, commit, loadAverage, versions }) {
  const list = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${date} UTC, ${cpu}, ${cores} cores, Linux ${kernel}, load average ${loadAverage} at the start; ${list.join(", ")}, commit ${commit}.`;
}

const INTRODUCTION = `# What we measured

Made by \`npm run bench\` from the files in bench/results; do not edit. Each section names the command that
made it. Server and load generator run on a core each of one machine, over loopback. In a round
every program runs in a fresh process, next to those it is compared with; ratios are taken between neighbours, the order
turns round each time, and the median is quoted. Absolute figures are context: they say more about the machine than about the
programs. The loop is closed (a message is sent when one has come back), so throughput latencies are those of a
full pipeline, and nothing here is corrected for coordinated omission. Where the load generator is
saturated, the figure is what it could ask for, not what the server could give; where neither is, something else
took the cores meanwhile, and such a figure is worth little.`;

/** Rewrites bench/RESULTS.md from the results that are there. */
export function writeResults(directory) {
  const parts = [INTRODUCTION];
  for (const [name, { title }] of [...Object.entries(WORKLOADS), ...Object.entries(MICRO_BENCHES)]) {
    const path = join(directory, `${name}.json`);
    if (!existsSync(path)) continue;
    const result = JSON.parse(readFileSync(path, "utf8"));
    parts.push(`## ${name}\n\n${title[0].toUpperCase()}${title.slice(1)}.\n`);
    parts.push(`\`${result.command}\`\n\n${machineText(result.machine)}\n`);
    if (result.outputs) {
      for (const [runtime, output] of Object.entries(result.outputs)) {
        parts.push(`### ${runtime}\n\n\`\`\`text\n${output.trim()}\n\`\`\`\n`);
      }
    } else {
      parts.push(resultText(result));
    }
  }
  writeFileSync(join(ROOT, "bench/RESULTS.md"), `${parts.join("\n\n").replace(/\n{3,}/g, "\n\n")}\n`);
}
