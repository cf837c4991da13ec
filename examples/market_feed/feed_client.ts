/** The client of market_feed.ts: many connections, every tick parsed, checked and timed. */
import { connect, type Loop, type Socket } from "ringwire";
import { Histogram } from "ringwire/metrics";

interface Tick {
  readonly seq: number;
  /** When it was published, on the server's clock, milliseconds. */
  readonly at: number;
}

interface Subscription {
  /** The number that the next tick must have. */
  expected: number;
  /** Ticks since credit was given last. */
  unpaid: number;
}

/** Ticks that may be under way to one connection at full speed: enough to keep both sides busy, few enough to stay fresh. */
const CREDIT = 16;
const CLOCK_ROUNDS = 300;

/** Connections to one feed server, and what came over them. */
export class FeedClient {
  /** Ticks since `reset`. */
  ticks = 0;
  /** Ticks of the whole life. */
  totalTicks = 0;
  /** Ticks that were missing or out of order. */
  lost = 0;
  /** Why a connection broke, if one did. */
  failure: string | undefined = undefined;
  /** Age of ticks when they were handled, since `reset`. */
  readonly latencies: Histogram = new Histogram();
  /** How far the clocks may still be apart, microseconds. */
  clockErrorUs = 0;
  readonly #loop: Loop;
  readonly #sockets: Socket<Subscription>[] = [];
  #control: Socket | undefined = undefined;
  #clockAnswered: ((text: string) => void) | undefined = undefined;
  /** Server's clock minus ours, milliseconds. */
  #clockOffsetMs = 0;
  #givesCredit = false;
  #isClosing = false;

  /** @param loop - Where the connections live. */
  constructor(loop: Loop) {
    this.#loop = loop;
  }

  /** Opens the connections and compares the clocks. */
  async open(url: string, connections: number): Promise<void> {
    this.#control = await connect(new URL("control", url), {
      loop: this.#loop,
      websocket: { message: (_ws, data) => this.#clockAnswered?.(String(data)) },
    });
    await this.#compareClocks();
    const opening: Promise<Socket<Subscription>>[] = [];
    for (let index = 0; index < connections; index++) {
      opening.push(
        connect<Subscription>(new URL("feed", url), {
          loop: this.#loop,
          data: { expected: 0, unpaid: 0 },
          websocket: {
            message: (ws, data) => this.#received(ws, data as string),
            error: (_ws, error) => {
              this.failure ??= error.message;
            },
            close: (_ws, code) => {
              if (!this.#isClosing) this.failure ??= `a connection closed with ${code}`;
            },
          },
        }),
      );
    }
    this.#sockets.push(...(await Promise.all(opening)));
  }

  /** Full speed: whoever has handled half of its credit gets it anew. The server never runs ahead of us. */
  start(): void {
    this.#givesCredit = true;
    for (const ws of this.#sockets) {
      ws.data.unpaid = 0;
      ws.send(`credit ${CREDIT}`);
    }
  }

  stop(): void {
    this.#givesCredit = false;
  }

  /** A steady rate over all connections, ticks per second; 0 ends it. */
  pace(rate: number): void {
    this.#control?.send(`pace ${rate}`);
  }

  /** Begins counting anew. */
  reset(): void {
    this.ticks = 0;
    this.latencies.reset();
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    const closed = this.#sockets.map((ws) => ws.closed);
    for (const ws of this.#sockets) ws.close();
    this.#control?.close();
    await Promise.all(closed);
  }

  #received(ws: Socket<Subscription>, text: string): void {
    const tick = JSON.parse(text) as Tick;
    const { data } = ws;
    if (tick.seq !== data.expected) this.lost += Math.max(1, tick.seq - data.expected);
    data.expected = tick.seq + 1;
    this.ticks++;
    this.totalTicks++;
    this.latencies.record((performance.now() + this.#clockOffsetMs - tick.at) * 1_000);
    if (++data.unpaid >= CREDIT / 2 && this.#givesCredit) {
      ws.send(`credit ${data.unpaid}`);
      data.unpaid = 0;
    }
  }

  /** The quickest of many questions tells the offset best: its answer was made at most half its time away from the middle. */
  async #compareClocks(): Promise<void> {
    let bestMs = Infinity;
    for (let round = 0; round < CLOCK_ROUNDS; round++) {
      const sentMs = performance.now();
      const serverMs = Number(await this.#askClock());
      const tookMs = performance.now() - sentMs;
      if (tookMs >= bestMs) continue;
      bestMs = tookMs;
      this.#clockOffsetMs = serverMs - (sentMs + tookMs / 2);
    }
    this.clockErrorUs = (bestMs * 1_000) / 2;
  }

  #askClock(): Promise<string> {
    return new Promise((resolve) => {
      this.#clockAnswered = resolve;
      this.#control?.send("clock");
    });
  }
}
