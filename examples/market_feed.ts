/**
 * A market-data feed, start to finish (`npm start`): a server publishes JSON ticks, a client with many connections
 * parses, checks and times every one of them, over the best transport and over the runtime's own sockets. The two
 * take turns, second by second, because a ratio measured that way survives a machine that is busy with other things.
 *
 * The servers are processes of their own: server and client then have a core each and share no garbage collector,
 * like two real programs.
 *
 * Two figures, because they exclude each other: how many ticks go through at full speed (then most of their age is
 * waiting in queues), and how old they are at a steady rate that leaves the machine air.
 */
import process from "node:process";
import type { Histogram } from "ringwire/metrics";
import { Arguments, UsageError } from "./command_line/arguments.ts";
import { FeedJob, type Slice } from "./market_feed/feed_job.ts";

const HELP = `Usage: market_feed [OPTIONS]

  --transport T      auto: the best one, in turns with native sockets for comparison;
                     uring, native: only that one                                 (default: auto)
  --seconds N        how long each transport is measured, 1 to 3600               (default: 5)
  --connections N    how many connections the client opens, 1 to 10000            (default: 200)
  --rate N           ticks per second in the steady phase, 1000 to 1000000        (default: 50000)
  --help             this text
`;

const WARM_UP_MS = 400;
/** Of the time: at full speed; the rest is steady. */
const FULL_SPEED_SHARE = 0.6;

interface Options {
  readonly transport: "auto" | "uring" | "native";
  readonly seconds: number;
  readonly connections: number;
  readonly rate: number;
}

const isPretty = process.stdout.isTTY === true && process.env.NO_COLOR === undefined;
const bold = (text: string): string => (isPretty ? `\u001b[1m${text}\u001b[0m` : text);
const whole = (value: number): string => Math.round(value).toLocaleString("en-US");

function readOptions(): Options | undefined {
  const given = new Arguments({ transport: "auto", seconds: "5", connections: "200", rate: "50000" });
  if (given.wantsHelp) return undefined;
  return {
    transport: given.oneOf("transport", ["auto", "uring", "native"]),
    seconds: given.number("seconds", 1, 3_600),
    connections: Math.round(given.number("connections", 1, 10_000)),
    rate: Math.round(given.number("rate", 1_000, 1_000_000)),
  };
}

function latencyText(microseconds: number): string {
  const text =
    microseconds < 1_000 ? `${microseconds.toFixed(0)} µs` : `${(microseconds / 1_000).toFixed(1)} ms`;
  return text.padStart(8);
}

function percentiles(histogram: Histogram): string {
  const at = (share: number): string => latencyText(histogram.percentile(share));
  return `p50 ${at(0.5)}   p99 ${at(0.99)}   p99.9 ${at(0.999)}`;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Slices of about a second, all jobs in turn, with a line for each. */
async function takeTurns(
  jobs: readonly FeedJob[],
  label: string,
  seconds: number,
  run: (job: FeedJob, forMs: number) => Promise<Slice>,
): Promise<void> {
  const count = Math.max(1, Math.round(seconds));
  for (let round = 0; round < count; round++) {
    for (const job of jobs) {
      const { ticksPerSecond, latencies } = await run(job, (seconds * 1_000) / count);
      const perSecond = whole(ticksPerSecond).padStart(11);
      console.log(
        `  ${job.label.padEnd(10)}${label.padEnd(12)}${perSecond} msg/s   ${percentiles(latencies)}`,
      );
    }
  }
}

function describe(jobs: readonly FeedJob[], { connections, rate, transport }: Options): void {
  const { bun, deno, node } = process.versions;
  const name = bun !== undefined ? `bun ${bun}` : deno !== undefined ? `deno ${deno}` : `node ${node}`;
  console.log(bold(`Ringwire market feed on ${name}`));
  console.log(
    `A server process publishes JSON ticks to ${connections} connections. This process parses each one, checks its\n` +
      "number, and takes its age from being published to being handled.\n" +
      "  full speed   the client asks for more as fast as it keeps up\n" +
      `  steady       ${whole(rate)} msg/s, in bursts every 2 ms\n`,
  );
  const [best, native] = jobs;
  console.log(`Transport in use: ${bold(best.label)}: ${best.reason}`);
  if (native !== undefined) console.log(`Compared with:    ${native.label}: ${native.reason}`);
  else if (transport === "auto") console.log("There is nothing to compare it with.");
}

function summarize(jobs: readonly FeedJob[], rate: number): void {
  console.log(`\n${bold("Summary")}`);
  console.log(`${"".padEnd(15)}full speed      age at ${whole(rate)} msg/s`);
  for (const { label, ticksPerSecond, steady } of jobs) {
    const perSecond = whole(median(ticksPerSecond)).padStart(11);
    console.log(`  ${label.padEnd(10)}${perSecond} msg/s   ${percentiles(steady)}`);
  }
  const [ours, native] = jobs;
  if (native === undefined) return;
  const ratios = ours.ticksPerSecond.map((value, index) => value / native.ticksPerSecond[index]);
  const range = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
  const age = native.steady.percentile(0.5) / ours.steady.percentile(0.5);
  console.log(
    bold(`  ratio     ${median(ratios).toFixed(2)} × the messages of native sockets`) +
      ` (${range}); median age ${age.toFixed(2)} × as short`,
  );
}

async function main(options: Options): Promise<number> {
  const { connections, rate, seconds, transport } = options;
  const jobs = [new FeedJob(transport)];
  try {
    if (transport === "auto" && jobs[0].transport !== "native") jobs.push(new FeedJob("native"));
    describe(jobs, options);
    for (const job of jobs) {
      await job.open(connections);
      await job.warmUp(WARM_UP_MS);
    }
    const clockErrorUs = Math.max(...jobs.map(({ client }) => client.clockErrorUs));
    console.log(
      `${jobs.length * connections} connections are open; clocks agree to ±${clockErrorUs.toFixed(0)} µs.\n`,
    );
    const fullSeconds = seconds * FULL_SPEED_SHARE;
    await takeTurns(jobs, "full speed", fullSeconds, (job, forMs) => job.runFullSpeed(forMs));
    await takeTurns(jobs, "steady", seconds - fullSeconds, (job, forMs) => job.runSteady(forMs, rate));
    for (const job of jobs) await job.close();
  } finally {
    for (const job of jobs) job.release();
  }
  summarize(jobs, rate);
  const total = jobs.reduce((sum, { client }) => sum + client.totalTicks, 0);
  const lost = jobs.reduce((sum, { client }) => sum + client.lost, 0);
  if (lost === 0) console.log(`  Nothing was lost: ${whole(total)} ticks came in sequence.`);
  else console.log(`  LOST: ${whole(lost)} ticks are missing or out of order, of ${whole(total)}.`);
  return lost === 0 ? 0 : 1;
}

try {
  const options = readOptions();
  if (options === undefined) console.log(HELP);
  else process.exitCode = await main(options);
} catch (error) {
  console.error(`market_feed: ${(error as Error).message}`);
  if (error instanceof UsageError) console.error(`\n${HELP}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
