/** What the simulated exchange sends: JSON text over both lines alike, and snapshots over HTTP. */

/** The side of a price level. */
export type Side = "bid" | "ask";

/** A price level has another size now. */
export interface BookDelta {
  readonly type: "delta";
  readonly symbol: string;
  /** Rises by one with each delta of the symbol. */
  readonly sequence: number;
  readonly side: Side;
  /** In ticks. */
  readonly price: number;
  /** In lots; 0 takes the level away. */
  readonly size: number;
  /** When it was published, Unix milliseconds. */
  readonly publishedMs: number;
  /** At a checkpoint: what the whole book must come to after this delta. */
  readonly checksum?: number;
}

/** Somebody bought or sold. */
export interface Trade {
  readonly type: "trade";
  readonly symbol: string;
  /** Rises by one with each trade of the symbol. */
  readonly sequence: number;
  readonly price: number;
  readonly size: number;
  readonly publishedMs: number;
}

export type MarketMessage = BookDelta | Trade;

/** Price and size. */
export type Level = readonly [price: number, size: number];

/** A whole book, as of one delta. */
export interface BookSnapshot {
  readonly symbol: string;
  /** Number of the last delta that it contains. */
  readonly sequence: number;
  readonly bids: readonly Level[];
  readonly asks: readonly Level[];
}

/** What the exchange has published of a symbol when it has closed. */
export interface ClosingState {
  readonly symbol: string;
  readonly deltas: number;
  readonly trades: number;
  readonly checksum: number;
}
