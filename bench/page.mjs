/**
 * bench/RESULTS.md and its pictures, from everything under bench/results.
 */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../scripts/setup/command.mjs";
import { MICRO_BENCHES } from "./micro_benches.mjs";
import { peerTable } from "./peer_options.mjs";
import { percentilePlot } from "./plot/percentile_plot.mjs";
import { ratioPlot } from "./plot/ratio_plot.mjs";
import { repetitionText } from "./repetition.mjs";
import { failuresText, resultText, unitOf } from "./report.mjs";
import { readResults } from "./results.mjs";
import { ratioText, table, whole } from "./table.mjs";
import { targetText, verdicts } from "./targets.mjs";
import { WORKLOADS } from "./workloads.mjs";

const INTRODUCTION = `# What we measured

Made by \`npm run bench -- --twice\` from the files in bench/results; do not edit. That command measures all of it again, and the one in a section that section.

- **Ratios count**, ours ÷ theirs. Absolute figures say more about the machine than about the programs. A start's two rounds are one ratio (their geometric mean), and the median of the starts is shown,
  with the two between which it lies, three times out of four at least ("is between"), and the least and the largest pair of slices.
- **Server and load generator** (in C) run on a core each of one machine, over loopback. All programs are set to the same options; ours run from dist/, as published.
- **Slices** are a fraction of a second. Those that are compared are measured right after one another, A B C and then C B A, while all others are stopped; every two rounds
  all start afresh, because two processes of the same program are not equally fast. Six pairs at least; those whose median is not known within 4 % by then go on, up to thirty.
- **The machine** changes its speed: hosts move virtual cores, and a cache line between two that share no cache takes 480 ns instead of 90. So cores are kept awake, and before and after each slice they do a
  fixed piece of work: pairs between which they changed their speed by more than 15 %, or in which others (another program, the host) took more than 5 % of them, are left out; of those near and those far
  apart the more frequent ones are taken. The row says "cores apart" then, or "unsteady" where there were no others.
- **Saturated** is whose core was busy. Where it is the load generator's, the figure is what it could ask for, not what the server could give; where it is neither, something else
  took the cores meanwhile, or both waited for each other.
- **Latencies** of a throughput test are those of a full pipeline (a message is sent when one has come back), and not corrected for coordinated omission; \`rate\` is. In the pictures
  they are the medians of the slices at each percentile, on scales of powers.`;

/** Where there is something that has been measured twice. */
const REPEATED = `Each group of participants is measured twice, one right after the other and from new processes each time; once more where the machine was not the same. What is shown above and below is both together.

`;

/** What a runtime offers itself, or everybody uses on it. */
const OWN = ["Bun.serve", "Deno.serve", "ws", "Bun's WebSocket", "Deno's WebSocket"];
const RUNTIMES = ["bun", "deno", "node"];
const GLANCE = [
  ["io_uring ÷ the runtime's own", "uring", OWN],
  ["native sockets ÷ the runtime's own", "native", OWN],
  ["io_uring ÷ uWebSockets", "uring", ["uWebSockets"]],
  ["io_uring ÷ sockudo-ws", "uring", ["sockudo-ws"]],
  ["io_uring ÷ C limit", "uring", ["C limit"]],
];

/** One line for each workload that has been compared with somebody else. */
function glance(results) {
  const rows = [];
  for (const { workload: name, comparisons = [] } of results) {
    const [{ key, unit, better }] = WORKLOADS[name]?.figures ?? [{}];
    const cells = GLANCE.map(([, transport, peers]) => {
      const ratios = RUNTIMES.map((runtime) =>
        comparisons.find(
          ({ ours, theirs, figure }) =>
            ours === `${runtime} ${transport}` && peers.includes(theirs) && figure === key,
        ),
      );
      return ratios.some(Boolean) ? ratios.map((one) => (one ? ratioText(one.ratio) : "–")).join(" · ") : "";
    });
    if (cells.some((cell) => cell !== "")) {
      rows.push([`[${name}](#${name})`, `${unit}${better === "less" ? ", less is better" : ""}`, ...cells]);
    }
  }
  if (rows.length === 0) return "";
  const text = table(["workload", "of", ...GLANCE.map(([head]) => head)], rows);
  return `## At a glance\n\nOn Bun · on Deno · on Node.\n\n${text}`;
}

function targetRow(name, verdict) {
  const unit = unitOf(WORKLOADS[name], verdict.figure);
  const { isRatio, value, what } = verdict;
  return [name, what, unit, isRatio ? ratioText(value) : whole(value), targetText(verdict)];
}

/** All targets: first those that are missed, each with a note. */
function targets(results) {
  const all = results.flatMap((result) =>
    result.comparisons
      ? verdicts(WORKLOADS[result.workload], result).map((verdict) => ({ name: result.workload, verdict }))
      : [],
  );
  if (all.length === 0) return "";
  const missed = all.filter(({ verdict }) => verdict.missedBy > 0);
  const reached = all.filter(({ verdict }) => verdict.missedBy === 0);
  const notes = [...new Set(missed.flatMap(({ verdict }) => verdict.explanation ?? []))];
  const head = ["workload", "ours ÷ theirs", "figure", "median", "target"];
  const parts = [`## Targets\n\n${reached.length} of ${all.length} are reached.`];
  if (missed.length > 0) {
    const rows = missed.map(({ name, verdict }) => [
      ...targetRow(name, verdict),
      verdict.explanation ? `${notes.indexOf(verdict.explanation) + 1}` : "**not explained yet**",
    ]);
    parts.push(`### Missed\n\n${table([...head, "note"], rows)}`);
    const items = notes.map(
      ({ limit, tried }, index) => `${index + 1}. *What limits it*: ${limit}. *Tried*: ${tried}.`,
    );
    parts.push(items.join("\n"));
  }
  if (reached.length > 0) {
    const rows = reached.map(({ name, verdict }) => targetRow(name, verdict));
    parts.push(`### Reached\n\n${table(head, rows)}`);
  }
  return parts.join("\n\n");
}

/** What sections have in common, as long as they do. */
function environmentText({ kernel, cpu, cores, versions }) {
  const list = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${cpu}, ${cores} cores, Linux ${kernel}; ${list.join(", ")}`;
}

function conditionsText({ command, machine }, environment) {
  const own = environmentText(machine);
  const parts = [
    `\`${command}\``,
    `${machine.date} UTC`,
    `commit ${machine.commit}`,
    `load average ${machine.loadAverage} at the start`,
    ...(own === environment ? [] : [own]),
  ];
  return `${parts.join(", ")}.`;
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
  draw(
    "ratios",
    `Ratios of ${result.workload}`,
    result.comparisons.length > 0 ? ratioPlot(workload, result) : undefined,
  );
  draw(
    "latency",
    `Latencies of ${result.workload} by percentile`,
    workload.showsLatency && Object.keys(result.percentilesNs).length > 0
      ? percentilePlot(result)
      : undefined,
  );
  return shown;
}

function section(result, environment, folder) {
  const { workload: name, skipped, outputs } = result;
  const { title } = WORKLOADS[name] ?? MICRO_BENCHES[name];
  const parts = [`## ${name}`, `${title[0].toUpperCase()}${title.slice(1)}.`];
  if (skipped !== undefined) return [...parts, `**Not measured on this machine**: ${skipped}.`];
  parts.push(conditionsText(result, environment));
  if (outputs) {
    for (const [runtime, output] of Object.entries(outputs)) {
      parts.push(`### ${runtime}\n\n\`\`\`text\n${output.trim()}\n\`\`\``);
    }
    return result.failures.length > 0 ? [...parts, failuresText(result)] : parts;
  }
  return [...parts, resultText(result), ...pictures(result, WORKLOADS[name], folder)];
}

/** Rewrites bench/RESULTS.md and the pictures from the results that are there. */
export function writePage(folder) {
  const kept = readResults(folder);
  const names = [...Object.keys(WORKLOADS), ...Object.keys(MICRO_BENCHES)];
  const results = names.flatMap((name) => kept[name] ?? []);
  const missing = names.filter((name) => kept[name] === undefined);
  const newest = [...results].sort((a, b) => (a.machine.date < b.machine.date ? -1 : 1)).at(-1);
  const environment = environmentText(newest.machine);
  const repeated = results.filter(({ twice }) => twice);
  const parts = [
    INTRODUCTION,
    `Measured on ${environment}, unless a section says otherwise.`,
    missing.length > 0 ? `Not measured yet: ${missing.join(", ")}.` : "",
    glance(results),
    targets(results),
    repeated.length > 0 ? `## Repeated\n\n${REPEATED}${repetitionText(repeated)}` : "",
    `## Participants\n\n${table(["participant", "version", "options"], peerTable())}`,
    ...results.flatMap((result) => section(result, environment, folder)),
  ];
  writeFileSync(join(ROOT, "bench/RESULTS.md"), `${parts.filter((part) => part !== "").join("\n\n")}\n`);
}

/** The targets that a result misses without a word about why. */
export function unexplained(result) {
  if (!result.comparisons) return [];
  return verdicts(WORKLOADS[result.workload], result)
    .filter(({ missedBy, explanation }) => missedBy > 0 && explanation === undefined)
    .map((verdict) => `${result.workload}: ${verdict.what} ${targetText(verdict)}`);
}
