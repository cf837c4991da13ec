/** A market over two lines that break, with snapshots, recorded and replayed: the same books at the same checkpoints. */

import { expect, test } from "vitest";
import { Market } from "../../examples/market_data/market.ts";
import type { BookDelta, BookSnapshot, MarketMessage } from "../../examples/market_data/market_message.ts";
import { OrderBook } from "../../examples/market_data/order_book.ts";
import { Arbiter, SequenceGuard } from "../../src/feed/mod.ts";
import { Loop, Service, type Socket } from "../../src/mod.ts";
import { Recorder, Recording, Replay } from "../../src/record/mod.ts";
import { onEachTransport } from "../conformance/rig.ts";
import { seeded } from "../protocol/frames.ts";
import { until } from "../transport/recorder.ts";
import { scratchPath } from "./scratch.ts";

const SYMBOLS = ["BTC-USD", "ETH-USD"];
const MESSAGES = 3_000;
const MESSAGES_PER_TICK = 15;
/** Counted and not by chance, which depends on how often it is asked, and so on which lines stand. */
const LOST_EVERY = 200;
const CUT_TICKS = 25;

/** Everything that the client's books went through. */
interface Story {
  readonly checkpoints: string[];
  readonly faults: string[];
  readonly closings: number[];
  gaps: number;
}

class Client {
  readonly story: Story = { checkpoints: [], faults: [], closings: [], gaps: 0 };
  readonly #books = new Map(SYMBOLS.map((symbol) => [symbol, new OrderBook()]));
  readonly #arbiter = new Arbiter({ lines: ["A", "B"] });
  readonly #service: Service;
  readonly #guard: SequenceGuard<BookDelta, BookSnapshot>;

  constructor(loop: Loop, url: () => string, record?: Recorder) {
    this.#guard = new SequenceGuard({
      reorderMs: 3,
      apply: (delta) => this.#apply(delta),
      request: (symbol) => void snapshots.socket?.send(symbol),
      restore: (snapshot, symbol) => this.#books.get(symbol)?.restore(snapshot),
      gap: () => void this.story.gaps++,
    });
    this.#service = new Service({ loop });
    const recording = record === undefined ? {} : { record };
    // The snapshots come over a connection as well, so that the recording has them.
    const snapshots = this.#service.add({
      ...{ url: () => new URL("/snapshots", url()), ...recording },
      websocket: {
        open: (ws) => SYMBOLS.forEach((symbol) => void ws.send(symbol)),
        batch: (_ws, messages) => {
          for (const message of messages) {
            const snapshot = message.json<BookSnapshot>();
            if (
              this.#guard.join(snapshot.symbol, snapshot.sequence, snapshot, messages.receivedNs) === "joined"
            )
              this.story.checkpoints.push(`${snapshot.symbol} snapshot ${snapshot.sequence}`);
          }
        },
      },
    });
    for (const line of this.#arbiter.lines) {
      this.#service.add({
        ...{ url: () => new URL(`/${line.name}`, url()), ...recording },
        reconnect: { initialMs: 2, maxMs: 5 },
        websocket: {
          batch: (_ws, messages) => {
            this.#guard.advance(messages.receivedNs);
            for (const message of messages) {
              const delta = message.json<MarketMessage>();
              if (delta.type !== "delta") continue;
              const { symbol, sequence } = delta;
              if (this.#arbiter.take(line, symbol, sequence, messages.receivedNs) !== "first") continue;
              this.#guard.take(symbol, sequence, delta, messages.receivedNs);
            }
          },
        },
      });
    }
  }

  /** Whether the books are as new as the exchange's. */
  isAt(market: Market): boolean {
    return market.closing().every(({ symbol, deltas }) => this.#guard.last(symbol) === deltas);
  }

  async close(): Promise<void> {
    for (const book of this.#books.values()) this.story.closings.push(book.checksum());
    await this.#service.close();
  }

  #apply({ symbol, sequence, side, price, size, checksum }: BookDelta): void {
    const book = this.#books.get(symbol) as OrderBook;
    book.set(side, price, size);
    if (checksum === undefined) return;
    this.story.checkpoints.push(`${symbol} ${sequence} ${checksum}`);
    if (book.checksum() !== checksum) this.story.faults.push(`${symbol} after ${sequence}`);
  }
}

onEachTransport("a market", (rig) => {
  test("recorded over lines that break has the same books at every checkpoint of each replay", async () => {
    const path = scratchPath();
    const market = new Market(SYMBOLS, seeded(7));
    const chance = seeded(8);
    const lines = new Set<Socket<string>>();
    const server = await rig.serve<string>({
      fetch: (request, it) =>
        it.upgrade(request, { data: new URL(request.url).pathname })
          ? undefined
          : new Response("", { status: 400 }),
      websocket: {
        open: (ws) => void (ws.data !== "/snapshots" && lines.add(ws)),
        message: (ws, symbol) => void ws.sendJson(market.snapshot(String(symbol)) ?? {}),
        close: (ws) => void lines.delete(ws),
      },
    });
    const recorder = new Recorder(path);
    const live = new Client(rig.loop, () => server.url, recorder);
    await until("both lines stand", () => lines.size === 2);
    let cuts = 0;
    for (let sent = 0, tick = 0; sent < MESSAGES; sent += MESSAGES_PER_TICK, tick++) {
      for (let count = 0; count < MESSAGES_PER_TICK; count++) {
        const message = market.step();
        // Lost on either line now and then, or on both.
        const isLost = (sent + count) % LOST_EVERY === 0;
        for (const line of lines) if (!isLost && chance() > 0.05) line.sendJson(message);
      }
      if (tick % CUT_TICKS === CUT_TICKS - 1) [...lines][cuts++ % 2]?.terminate();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    // Until a message makes good the last that was lost.
    await until("the books are complete", () => {
      const message = market.step();
      for (const line of lines) line.sendJson(message);
      return live.isAt(market);
    });
    await live.close();
    await recorder.close();
    const { story } = live;
    expect(story.faults).toEqual([]);
    expect(story.closings).toEqual(market.closing().map(({ checksum }) => checksum));
    expect(story.gaps).toBeGreaterThan(3);
    // What a snapshot jumps over on a busy machine has none.
    expect(story.checkpoints.length).toBeGreaterThan(10);
    using recording = new Recording(path);
    expect([...recording].filter(({ kind }) => kind === "open").length).toBeGreaterThan(3);

    for (let round = 0; round < 2; round++) {
      const replay = new Replay(path);
      using loop = new Loop({ transport: replay });
      const again = new Client(loop, () => server.url);
      expect(await replay.finished).toMatchObject({ missed: 0 });
      await again.close();
      expect(again.story).toEqual(story);
    }
  });
});
