/**
 * Order books that stay correct, whatever happens to the lines they come over.
 *
 * A simulated exchange, in a process of its own, publishes trades and book deltas over two lines. Both break at random: connections are
 * reset, closed, cut, refused, fall silent, lag, lose, repeat and reorder messages. The client takes the first copy of each message, puts
 * them in order, fetches a snapshot where something is lost on both lines, and compares every book with the exchange's at every
 * checkpoint. It ends with a table of latencies, and with exit code 1 when a book was ever wrong.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Loop } from "ringwire";
import { Arguments, UsageError } from "./command_line/arguments.ts";
import { BookClient } from "./market_data/book_client.ts";
import type { ClosingState } from "./market_data/market_message.ts";

const HELP = `Usage: market_data [OPTIONS]

  --seconds N      how long the market is open, 1 to 86400                (default: 5)
  --rate N         messages per second on each line, 100 to 100000        (default: 2000)
  --fault-ms N     mean time between faults of a line, 0: none            (default: 150)
  --seed N         of the market and its faults                           (default: a random one)
  --transport T    auto, uring or native                                  (default: auto)
  --received T     when a message counts as received: handled or kernel   (default: handled)
  --help           this text
`;

/** For what is under way when the market closes, and for lines to come back. */
const SETTLE_MS = 3_000;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const whole = (value: number): string => Math.round(value).toLocaleString("en-US");

interface Options {
  readonly seconds: number;
  readonly rate: number;
  readonly faultMs: number;
  readonly seed: number;
  readonly transport: "auto" | "uring" | "native";
  readonly received: "handled" | "kernel";
}

/** What `/halt` answers. */
interface Closing {
  readonly published: number;
  readonly faults: readonly { readonly name: string; readonly faults: Readonly<Record<string, number>> }[];
  readonly symbols: readonly ClosingState[];
}

function readOptions(): Options | undefined {
  const given = new Arguments({
    seconds: "5",
    rate: "2000",
    "fault-ms": "150",
    seed: String(Math.floor(Math.random() * 1e9)),
    transport: "auto",
    received: "handled",
  });
  if (given.wantsHelp) return undefined;
  return {
    transport: given.oneOf("transport", ["auto", "uring", "native"]),
    received: given.oneOf("received", ["handled", "kernel"]),
    seconds: given.number("seconds", 1, 86_400),
    rate: given.number("rate", 100, 100_000),
    faultMs: given.number("fault-ms", 0, 3_600_000),
    seed: given.number("seed", 0, 2 ** 32),
  };
}

/** Starts the exchange on the same runtime and waits for the line that says where it is. */
async function startExchange(options: Options): Promise<{ child: ChildProcess; url: string }> {
  const source = fileURLToPath(new URL("./market_data/exchange.ts", import.meta.url));
  // Node 20 runs the built form, whose names end in .js.
  const program = existsSync(source) ? source : source.replace(/\.ts$/, ".js");
  const before = process.versions.deno === undefined ? [] : ["run", "-A"];
  const words = [options.transport, options.rate, options.faultMs, options.seed].map(String);
  const child = spawn(process.execPath, [...before, program, ...words], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout! }).once("line", resolve);
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`the exchange ended with exit code ${code}`)));
  });
  return { child, url: (JSON.parse(line) as { url: string }).url };
}

/** Waits until everything that was published is here. */
async function settle(client: BookClient, { symbols }: Closing): Promise<void> {
  const untilMs = performance.now() + SETTLE_MS;
  while (!client.isAt(symbols) && performance.now() < untilMs) {
    await sleep(100);
    client.refresh(symbols);
  }
}

function report(client: BookClient, { published, faults, symbols }: Closing): void {
  const { arbiter, deltas, trades, latencies, disconnects } = client;
  const list = (counts: Iterable<[string, number]>): string =>
    [...counts].map(([name, count]) => `${name} ${count}`).join(", ") || "none";
  console.log(`The exchange published ${whole(published)} messages on each line.`);
  for (const { name, faults: counts } of faults)
    console.log(`  faults of ${name}: ${list(Object.entries(counts))}`);
  console.log(`  connections lost: ${list(disconnects)}`);
  for (const { name, firsts, duplicates, late, missed, lag } of arbiter.lines) {
    const behind = `p50 ${whole(lag.percentile(0.5) / 1e3)} µs, p99 ${whole(lag.percentile(0.99) / 1e3)} µs behind`;
    console.log(
      `  line ${name}: first with ${whole(firsts)}, ${whole(duplicates)} duplicates, ${whole(late)} late, ${whole(missed)} missed; ${behind}`,
    );
  }
  console.log(
    `  deltas: ${whole(deltas.applied)} applied, ${whole(deltas.gaps)} gaps, ${whole(deltas.joins)} snapshots for ${symbols.length} books`,
  );
  console.log(
    `  trades: ${whole(trades.applied)} in order, ${whole(client.missingTrades)} lost on both lines`,
  );
  console.log(`\n${latencies.table()}\n`);
}

async function main(options: Options): Promise<number> {
  const loop = new Loop({ transport: options.transport, receiveTimestamps: options.received });
  const { child, url } = await startExchange(options);
  const client = new BookClient(loop, url);
  console.log(`Two lines from ${url} over ${loop.transport}, seed ${options.seed}: ${options.seconds} s`);
  try {
    await sleep(options.seconds * 1_000);
    const closing = (await (await fetch(new URL("/halt", url.replace(/^ws/, "http")))).json()) as Closing;
    await settle(client, closing);
    client.compare(closing.symbols);
    report(client, closing);
  } finally {
    child.removeAllListeners("exit");
    // The exchange ends with its input.
    child.stdin?.end();
    await client.close();
    loop.close();
  }
  for (const fault of client.faults.slice(0, 20)) console.log(`WRONG: ${fault}`);
  if (client.faults.length > 0) return 1;
  console.log(`The books were identical at all of ${whole(client.checkpoints)} checkpoints.`);
  return 0;
}

try {
  const options = readOptions();
  if (options === undefined) console.log(HELP);
  else process.exitCode = await main(options);
} catch (error) {
  console.error(`market_data: ${(error as Error).message}`);
  if (error instanceof UsageError) console.error(`\n${HELP}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
