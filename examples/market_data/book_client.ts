/**
 * The client of market_data.ts: a service with a connection to each line, an arbiter that takes the first copy of each message, guards
 * that keep deltas and trades in order, and the books.
 */
import { type Loop, type MessageBatch, Service } from "ringwire";
import { Arbiter, LatencyRecorder, type Line, SequenceGuard } from "ringwire/feed";
import type { BookDelta, BookSnapshot, ClosingState, MarketMessage, Trade } from "./market_message.ts";
import { OrderBook } from "./order_book.ts";

/** Longer than a line lags, so that the other one is waited for before a snapshot is fetched. */
const REORDER_MS = 25;
/** A line without any message for so long is given up. */
const STALE_MS = 250;
/** Before each further attempt to get a snapshot that is new enough. */
const SNAPSHOT_RETRY_MS = 20;
const LONGEST_RETRY_MS = 500;
/** A connection is renewed when it is so old, before the venue cuts it; the lines take turns. */
const TTL_MS = 1_500;

const nowNs = (): number => performance.now() * 1e6;

/** See the top of this file. */
export class BookClient {
  readonly arbiter: Arbiter;
  readonly latencies: LatencyRecorder = new LatencyRecorder(performance.timeOrigin);
  /** Books that agreed with the exchange's at a checkpoint. */
  checkpoints = 0;
  /** What was wrong, if anything was. */
  readonly faults: string[] = [];
  /** Connections lost, by reason. */
  readonly disconnects: Map<string, number> = new Map();
  /** Trades that came over neither line. */
  missingTrades = 0;
  readonly deltas: SequenceGuard<BookDelta, BookSnapshot>;
  readonly trades: SequenceGuard<Trade>;
  readonly #url: string;
  readonly #books = new Map<string, OrderBook>();
  /** By symbol: the trade that has to come next, unless a gap is told of. */
  readonly #nextTrade = new Map<string, number>();
  readonly #service: Service<BookClient>;
  #isClosed = false;

  /** Connects, and stays connected. @param url - The exchange. */
  constructor(loop: Loop, url: string) {
    this.#url = url;
    this.arbiter = new Arbiter({ lines: ["A", "B"], slowAfterMs: 50 });
    this.deltas = new SequenceGuard({
      reorderMs: REORDER_MS,
      apply: (delta) => this.#applyDelta(delta),
      request: (symbol, attempt) => this.#fetchSnapshotSoon(symbol, attempt),
      restore: (snapshot, symbol) => this.#bookOf(symbol).restore(snapshot),
      armed: (dueNs) => this.#advanceAt(this.deltas, dueNs),
    });
    this.trades = new SequenceGuard({
      reorderMs: REORDER_MS,
      apply: (trade) => this.#applyTrade(trade),
      gap: ({ key, after, until }) => {
        this.missingTrades += until - after;
        this.#nextTrade.set(key, until + 1);
      },
      armed: (dueNs) => this.#advanceAt(this.trades, dueNs),
    });
    this.#service = new Service<BookClient>({ loop, context: this });
    for (const line of this.arbiter.lines) this.#open(line);
  }

  /** Whether the books are as new as the exchange's. */
  isAt(states: readonly ClosingState[]): boolean {
    return states.every(({ symbol, deltas }) => this.deltas.last(symbol) === deltas);
  }

  /** Compares with where the exchange stands at the end. */
  compare(states: readonly ClosingState[]): void {
    for (const { symbol, checksum, deltas } of states) {
      const last = this.deltas.last(symbol);
      if (last !== deltas) this.faults.push(`${symbol} ends with delta ${last}, not ${deltas}`);
      else this.#check(symbol, deltas, checksum);
    }
  }

  /** Fetches all books anew: for symbols whose last messages were lost and nothing came behind them. */
  refresh(states: readonly ClosingState[]): void {
    for (const { symbol, deltas } of states) {
      if (this.deltas.last(symbol) !== deltas && this.deltas.isWhole(symbol)) this.deltas.follow(symbol);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#service.close();
  }

  #open(line: Line): void {
    this.#service.add({
      url: new URL(`/line/${line.name}`, this.#url),
      websocket: { batch: (_ws, messages, client) => client.#received(line, messages) },
      reconnect: { initialMs: 20, maxMs: 200, provenMs: 100 },
      staleMs: STALE_MS,
      ttlMs: TTL_MS + line.index * 700,
      closed: ({ kind }, client) => {
        client.disconnects.set(kind, (client.disconnects.get(kind) ?? 0) + 1);
      },
    });
  }

  #received(line: Line, messages: MessageBatch): void {
    const { receivedNs } = messages;
    for (const each of messages) {
      const message = each.json<MarketMessage>();
      const { symbol, sequence, publishedMs } = message;
      if (message.type === "delta") {
        if (this.arbiter.take(line, symbol, sequence, receivedNs) !== "first") continue;
        this.deltas.take(symbol, sequence, message, receivedNs);
      } else {
        if (this.arbiter.take(line, `${symbol} trades`, sequence, receivedNs) !== "first") continue;
        this.trades.take(symbol, sequence, message, receivedNs);
      }
      this.latencies.record(publishedMs, receivedNs, nowNs());
    }
  }

  #applyDelta({ symbol, sequence, side, price, size, checksum }: BookDelta): void {
    this.#bookOf(symbol).set(side, price, size);
    if (checksum !== undefined) this.#check(symbol, sequence, checksum);
  }

  #applyTrade({ symbol, sequence }: Trade): void {
    const expected = this.#nextTrade.get(symbol) ?? sequence;
    if (sequence !== expected) this.faults.push(`${symbol} has trade ${sequence} where ${expected} was due`);
    this.#nextTrade.set(symbol, sequence + 1);
  }

  #check(symbol: string, sequence: number, checksum: number): void {
    const ours = this.#bookOf(symbol).checksum();
    if (ours === checksum) this.checkpoints++;
    else this.faults.push(`${symbol} after delta ${sequence} comes to ${ours}, not ${checksum}`);
  }

  #bookOf(symbol: string): OrderBook {
    let book = this.#books.get(symbol);
    if (book === undefined) {
      book = new OrderBook();
      this.#books.set(symbol, book);
    }
    return book;
  }

  #advanceAt(guard: SequenceGuard<BookDelta, BookSnapshot> | SequenceGuard<Trade>, dueNs: number): void {
    setTimeout(() => guard.advance(nowNs()), Math.max(0, Math.ceil((dueNs - nowNs()) / 1e6)));
  }

  #fetchSnapshotSoon(symbol: string, attempt: number): void {
    if (this.#isClosed) return;
    const delayMs = Math.min((attempt - 1) * SNAPSHOT_RETRY_MS, LONGEST_RETRY_MS);
    setTimeout(() => void this.#fetchSnapshot(symbol, attempt), delayMs);
  }

  async #fetchSnapshot(symbol: string, attempt: number): Promise<void> {
    const url = new URL(`/snapshot?symbol=${symbol}`, this.#url.replace(/^ws/, "http"));
    let snapshot: BookSnapshot;
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      snapshot = (await response.json()) as BookSnapshot;
    } catch {
      this.#fetchSnapshotSoon(symbol, attempt + 1);
      return;
    }
    if (!this.#isClosed) this.deltas.join(symbol, snapshot.sequence, snapshot, nowNs());
  }
}
