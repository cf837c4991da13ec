/** The exchange's market: books that change and trades that happen, and the messages about them. */
import type { BookSnapshot, ClosingState, MarketMessage, Side } from "./market_message.ts";
import { OrderBook } from "./order_book.ts";

const LEVELS = 25;
const MIDDLE = 100_000;
const TRADE_SHARE = 0.2;
/** Every so many deltas of a symbol bear a checksum. */
const CHECKPOINT_DELTAS = 20;
/** Snapshots come from a cache, as those of real exchanges do: they may be this old. */
const CACHE_MS = 50;

const nowMs = (): number => performance.timeOrigin + performance.now();

/** One symbol. */
class Instrument {
  readonly symbol: string;
  readonly book: OrderBook = new OrderBook();
  deltas = 0;
  trades = 0;
  middle = MIDDLE;
  cached: BookSnapshot | undefined = undefined;
  cachedMs = 0;

  constructor(symbol: string) {
    this.symbol = symbol;
  }
}

/** See the top of this file. */
export class Market {
  readonly #instruments: readonly Instrument[];
  readonly #random: () => number;

  constructor(symbols: readonly string[], random: () => number) {
    this.#instruments = symbols.map((symbol) => new Instrument(symbol));
    this.#random = random;
  }

  /** Something happens to some symbol. Returns what there is to publish. */
  step(): MarketMessage {
    const instrument = this.#instruments[this.#below(this.#instruments.length)];
    if (this.#random() < 0.05) instrument.middle += this.#below(3) - 1;
    const side: Side = this.#random() < 0.5 ? "bid" : "ask";
    const distance = 1 + this.#below(LEVELS);
    const price = instrument.middle + (side === "bid" ? -distance : distance);
    const size = this.#below(100);
    const { symbol, book } = instrument;
    if (this.#random() < TRADE_SHARE) {
      const sequence = ++instrument.trades;
      return { type: "trade", symbol, sequence, price, size: size + 1, publishedMs: nowMs() };
    }
    const sequence = ++instrument.deltas;
    book.set(side, price, size);
    const delta = { type: "delta", symbol, sequence, side, price, size, publishedMs: nowMs() } as const;
    return sequence % CHECKPOINT_DELTAS === 0 ? { ...delta, checksum: book.checksum() } : delta;
  }

  /** The book of a symbol as it was at most `CACHE_MS` ago; undefined for a symbol that is not there. */
  snapshot(symbol: string): BookSnapshot | undefined {
    const instrument = this.#instruments.find((each) => each.symbol === symbol);
    if (instrument === undefined) return undefined;
    if (instrument.cached === undefined || nowMs() - instrument.cachedMs > CACHE_MS) {
      instrument.cached = instrument.book.snapshot(symbol, instrument.deltas);
      instrument.cachedMs = nowMs();
    }
    return instrument.cached;
  }

  /** Where everything stands. */
  closing(): ClosingState[] {
    return this.#instruments.map(({ symbol, deltas, trades, book }) => ({
      ...{ symbol, deltas, trades },
      checksum: book.checksum(),
    }));
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }
}
