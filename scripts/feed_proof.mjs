#!/usr/bin/env node
import { parseOrExit } from "./arguments.mjs";
/**
 * `node scripts/feed_proof.mjs --minutes 10`: examples/market_data.ts for long, on all runtimes side by side: two lines that break at random all
 * the time, and every book compared with the exchange's at every checkpoint.
 */
import { build } from "./build.mjs";
import { programCommand, programEnvironment, RUNTIMES, runtimeVersion } from "./runtimes.mjs";
import { runCaptured } from "./setup/command.mjs";
import { setUpOrExit } from "./setup.mjs";

const HELP = `Usage: node scripts/feed_proof.mjs [OPTIONS]

Order books over two lines that break at random, compared with the exchange's at every checkpoint. Fails when one is ever wrong.

  --minutes N         how long                                    (default: 10)
  --runtime NAME      bun, deno, node, or all, side by side       (default: all)
  --transport NAME    auto, uring or native                       (default: auto)
  --received NAME     handled, or kernel: its receive timestamps  (default: handled)
  --rate N            messages per second on each line            (default: 2000)
  --fault-ms N        mean time between faults of a line          (default: 150)
  --help              this text`;

/** Beyond the time asked for: starting, settling, reporting; and for whoever stops the whole group a while (SIGSTOP). */
const SPARE_MS = 600_000;

const options = parseOrExit(
  process.argv.slice(2),
  {
    minutes: "number",
    runtime: [...RUNTIMES, "all"],
    transport: ["auto", "uring", "native"],
    received: ["handled", "kernel"],
    rate: "number",
    "fault-ms": "number",
  },
  HELP,
);
const seconds = (options.minutes ?? 10) * 60;
const words = ["--seconds", String(seconds)];
for (const name of ["transport", "received", "rate", "fault-ms"])
  if (options[name] !== undefined) words.push(`--${name}`, String(options[name]));
const runtimes = [undefined, "all"].includes(options.runtime) ? RUNTIMES : [options.runtime];

await setUpOrExit();
const complaint = build("dist") ?? build("node");
if (complaint !== undefined) {
  console.error(`${complaint}\nfeed_proof: the build failed`);
  process.exit(1);
}

async function prove(runtime) {
  const [program, ...args] = programCommand(runtime, "examples/market_data.ts");
  const { status, output } = await runCaptured(program, [...args, ...words], {
    limitMs: seconds * 1_000 + SPARE_MS,
    environment: programEnvironment(runtime),
  });
  console.log(
    `── ${runtime} ${runtimeVersion(runtime)} ${status === 0 ? "ok" : `FAILED (${status})`} ──\n${output}`,
  );
  return status === 0;
}

const isProven = (await Promise.all(runtimes.map(prove))).every(Boolean);
console.log(isProven ? "feed_proof: every book was right" : "feed_proof: FAILED");
process.exitCode = isProven ? 0 : 1;
