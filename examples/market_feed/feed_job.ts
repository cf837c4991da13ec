/** One transport's half of the comparison in market_feed.ts: a loop, a server process, a client, and figures. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Loop } from "ringwire";
import { Histogram } from "ringwire/metrics";
import { FeedClient } from "./feed_client.ts";

/** Before a slice counts: queues fill up, or a timer gets going. */
const RAMP_MS = 60;
/** After a slice: for ticks that are under way. */
const SETTLE_MS = 60;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What one slice of time brought. */
export interface Slice {
  readonly ticksPerSecond: number;
  readonly latencies: Histogram;
}

/** See the top of this file. */
export class FeedJob {
  readonly transport: Loop["transport"];
  readonly label: string;
  readonly reason: string;
  /** Of the slices at full speed, oldest first. */
  readonly ticksPerSecond: number[] = [];
  /** Of the steady slices together. */
  readonly steady: Histogram = new Histogram();
  readonly client: FeedClient;
  readonly #loop: Loop;
  #child: ChildProcess | undefined = undefined;

  /** @throws RingwireError when the transport cannot be had. */
  constructor(transport: "auto" | "uring" | "native") {
    this.#loop = new Loop({ transport });
    this.transport = this.#loop.transport;
    this.label = this.transport === "uring" ? "io_uring" : "native";
    this.reason = this.#loop.reason;
    this.client = new FeedClient(this.#loop);
  }

  /** Starts the server and connects. */
  async open(connections: number): Promise<void> {
    const { child, url } = await startServer(this.transport);
    this.#child = child;
    await this.client.open(url, connections);
  }

  /** Everything once, not counted: compilers warm up, and the kernel's buffers grow. */
  async warmUp(forMs: number): Promise<void> {
    this.client.start();
    await sleep(forMs);
    this.client.stop();
    await sleep(SETTLE_MS);
  }

  /** As many ticks as go through. */
  async runFullSpeed(forMs: number): Promise<Slice> {
    this.client.start();
    const slice = await this.#watch(forMs);
    this.client.stop();
    await sleep(SETTLE_MS);
    this.ticksPerSecond.push(slice.ticksPerSecond);
    return slice;
  }

  /** `rate` ticks per second over all connections. */
  async runSteady(forMs: number, rate: number): Promise<Slice> {
    this.client.pace(rate);
    const slice = await this.#watch(forMs);
    this.client.pace(0);
    await sleep(SETTLE_MS);
    this.steady.add(slice.latencies);
    return slice;
  }

  async close(): Promise<void> {
    if (this.client.failure === undefined) await this.client.close();
    this.release();
  }

  /** Lets go of everything at once. */
  release(): void {
    this.#child?.removeAllListeners("exit");
    // The server ends with its input.
    this.#child?.stdin?.end();
    this.#loop.close();
  }

  /** @throws Error when a connection broke: figures would mean nothing. */
  async #watch(forMs: number): Promise<Slice> {
    const { client } = this;
    await sleep(RAMP_MS);
    client.reset();
    const beginMs = performance.now();
    await sleep(forMs);
    const ticksPerSecond = (client.ticks * 1_000) / (performance.now() - beginMs);
    const latencies = new Histogram();
    latencies.add(client.latencies);
    if (client.failure !== undefined) throw new Error(`${this.label}: ${client.failure}`);
    return { ticksPerSecond, latencies };
  }
}

/** Starts the server on the same runtime and waits for the line that says where it listens. */
async function startServer(transport: string): Promise<{ child: ChildProcess; url: string }> {
  const source = fileURLToPath(new URL("./feed_server.ts", import.meta.url));
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
