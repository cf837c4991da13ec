/**
 * A market-data feed, start to finish (`npm start`): a server in a process of its own publishes JSON ticks, a client
 * with many connections parses, checks and times every one of them. First over the best transport, then over the
 * runtime's own sockets, and the ratio.
 *
 * Two figures, because they exclude each other: how many ticks go through at full speed (then most of their age is
 * waiting in queues), and how old they are at a steady rate that leaves the machine air.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Loop } from "ringwire";
import { FeedClient } from "./market_feed/feed_client.ts";
import { LatencyHistogram } from "./market_feed/latency_histogram.ts";

const HELP = `Usage: market_feed [OPTIONS]

  --transport T      auto: the best one, then native sockets for comparison; uring, native: only that
                     one                                                          (default: auto)
  --seconds N        how long each transport is measured, 1 to 3600               (default: 5)
  --connections N    how many connections the client opens, 1 to 10000            (default: 200)
  --rate N           ticks per second in the steady phase, 1000 to 1000000        (default: 50000)
  --help             this text
`;

/** Not counted: compilers warm up, and the kernel's buffers grow. */
const WARM_UP_MS = 500;
/** Of the time: at full speed; the rest is steady. */
const FULL_SPEED_SHARE = 0.6;
/** For ticks that are under way when a phase ends. */
const SETTLE_MS = 150;

interface Options {
  readonly transport: "auto" | "uring" | "native";
  readonly seconds: number;
  readonly connections: number;
  readonly rate: number;
}

interface Outcome {
  readonly transport: string;
  readonly ticksPerSecond: number;
  readonly steady: LatencyHistogram;
  readonly totalTicks: number;
  readonly lost: number;
}

class UsageError extends Error {}

const isPretty = process.stdout.isTTY === true && process.env.NO_COLOR === undefined;
const bold = (text: string): string => (isPretty ? `\u001b[1m${text}\u001b[0m` : text);
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const whole = (value: number): string => Math.round(value).toLocaleString("en-US");

function readOptions(): Options | undefined {
  let values: Record<string, string | boolean | undefined>;
  try {
    ({ values } = parseArgs({
      options: {
        transport: { type: "string", default: "auto" },
        seconds: { type: "string", default: "5" },
        connections: { type: "string", default: "200" },
        rate: { type: "string", default: "50000" },
        help: { type: "boolean", default: false },
      },
    }));
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  if (values.help) return undefined;
  const { transport } = values;
  if (transport !== "auto" && transport !== "uring" && transport !== "native") {
    throw new UsageError(`Option "--transport" must be auto, uring or native, not "${transport}"`);
  }
  const number = (name: string, min: number, max: number): number => {
    const value = Number(values[name]);
    if (value >= min && value <= max) return value;
    throw new UsageError(`Option "--${name}" must be a number from ${min} to ${max}, not "${values[name]}"`);
  };
  return {
    transport,
    seconds: number("seconds", 1, 3_600),
    connections: Math.round(number("connections", 1, 10_000)),
    rate: Math.round(number("rate", 1_000, 1_000_000)),
  };
}

/** Starts the server on the same runtime and waits for the line that says where it listens. */
async function startServer(transport: string): Promise<{ child: ChildProcess; url: string }> {
  const source = fileURLToPath(new URL("./market_feed/feed_server.ts", import.meta.url));
  // Node 20 runs the built form, whose names end in .js.
  const program = existsSync(source) ? source : source.replace(/\.ts$/, ".js");
  const before = process.versions.deno === undefined ? [] : ["run", "-A"];
  const child = spawn(process.execPath, [...before, program, transport], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout! }).once("line", resolve);
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`the feed server ended with exit code ${code}`)));
  });
  return { child, url: (JSON.parse(line) as { url: string }).url };
}

function latencyText(microseconds: number): string {
  const text =
    microseconds < 1_000 ? `${microseconds.toFixed(0)} µs` : `${(microseconds / 1_000).toFixed(1)} ms`;
  return text.padStart(8);
}

function percentiles(histogram: LatencyHistogram): string {
  const at = (share: number): string => latencyText(histogram.percentile(share));
  return `p50 ${at(0.5)}   p99 ${at(0.99)}   p99.9 ${at(0.999)}`;
}

/** Waits, with a line each second. Returns ticks per second and all latencies. */
async function watch(
  client: FeedClient,
  label: string,
  forMs: number,
): Promise<{ ticksPerSecond: number; latencies: LatencyHistogram }> {
  const all = new LatencyHistogram();
  const beginMs = performance.now();
  let ticks = 0;
  let nowMs = beginMs;
  client.reset();
  while (nowMs - beginMs < forMs - 20 && client.failure === undefined) {
    const fromMs = nowMs;
    await sleep(Math.min(1_000, forMs - (nowMs - beginMs)));
    nowMs = performance.now();
    const perSecond = whole((client.ticks * 1_000) / (nowMs - fromMs)).padStart(11);
    console.log(`  ${label.padEnd(11)}${perSecond} msg/s   ${percentiles(client.latencies)}`);
    ticks += client.ticks;
    all.add(client.latencies);
    client.reset();
  }
  return { ticksPerSecond: (ticks * 1_000) / (nowMs - beginMs), latencies: all };
}

async function measure(loop: Loop, options: Options): Promise<Outcome> {
  const { connections, rate, seconds } = options;
  console.log(`\n${bold(loop.transport === "uring" ? "io_uring" : "native sockets")}: ${loop.reason}`);
  const { child, url } = await startServer(loop.transport);
  try {
    const client = new FeedClient(loop);
    await client.open(url, connections);
    const clocks = client.clockErrorUs.toFixed(0);
    console.log(`  ${connections} connections are open; the clocks agree to ±${clocks} µs`);

    client.start();
    await sleep(WARM_UP_MS);
    const full = await watch(client, "full speed", seconds * FULL_SPEED_SHARE * 1_000);
    client.stop();
    await sleep(SETTLE_MS);

    client.pace(rate);
    await sleep(SETTLE_MS);
    const steady = await watch(client, "steady", seconds * (1 - FULL_SPEED_SHARE) * 1_000);
    client.pace(0);
    await sleep(SETTLE_MS);

    if (client.failure !== undefined) throw new Error(client.failure);
    await client.close();
    const { totalTicks, lost } = client;
    return {
      transport: loop.transport,
      ticksPerSecond: full.ticksPerSecond,
      steady: steady.latencies,
      totalTicks,
      lost,
    };
  } finally {
    // The server ends with its input.
    child.removeAllListeners("exit");
    child.stdin?.end();
  }
}

function summarize(outcomes: readonly Outcome[], options: Options): void {
  console.log(`\n${bold("Summary")}`);
  console.log(`${"".padEnd(20)}full speed      at ${whole(options.rate)} msg/s, publish to handler`);
  for (const { transport, ticksPerSecond, steady } of outcomes) {
    const label = transport === "uring" ? "io_uring" : "native sockets";
    console.log(`  ${label.padEnd(16)}${whole(ticksPerSecond).padStart(9)} msg/s   ${percentiles(steady)}`);
  }
  const [ours, native] = outcomes;
  if (native !== undefined) {
    const ratio = (ours.ticksPerSecond / native.ticksPerSecond).toFixed(2);
    const p50 = (native.steady.percentile(0.5) / ours.steady.percentile(0.5)).toFixed(2);
    console.log(
      bold(`  io_uring carries ${ratio} × the messages of native sockets; its p50 is ${p50} × as short`),
    );
  }
}

async function main(options: Options): Promise<number> {
  const runtime = process.versions.bun ?? process.versions.deno ?? process.versions.node;
  const name = "bun" in process.versions ? "bun" : "deno" in process.versions ? "deno" : "node";
  console.log(bold(`Ringwire market feed on ${name} ${runtime}`));
  console.log(
    `A server process publishes JSON ticks to ${options.connections} connections; this process parses each one,\n` +
      "checks its number and takes its age, from being published to its handler.\n" +
      "full speed: the client asks for more as it keeps up. " +
      `steady: ${whole(options.rate)} msg/s in bursts every 2 ms.`,
  );
  const outcomes: Outcome[] = [];
  for (const transport of options.transport === "auto" ? ["auto", "native"] : [options.transport]) {
    const loop = new Loop({ transport: transport as Options["transport"] });
    try {
      if (outcomes.some((outcome) => outcome.transport === loop.transport)) {
        console.log("\nio_uring is not used here (see above), so there is nothing to compare with.");
        break;
      }
      outcomes.push(await measure(loop, options));
    } finally {
      loop.close();
    }
  }
  summarize(outcomes, options);
  const total = outcomes.reduce((sum, outcome) => sum + outcome.totalTicks, 0);
  const lost = outcomes.reduce((sum, outcome) => sum + outcome.lost, 0);
  console.log(
    lost === 0
      ? `  Nothing was lost: ${whole(total)} ticks came in sequence.`
      : `  LOST: ${whole(lost)} ticks are missing or out of order among ${whole(total)}.`,
  );
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
