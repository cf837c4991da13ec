/** Sizes by price, on both sides. The exchange has the one that is right, its clients copies. */
import type { BookSnapshot, Level, Side } from "./market_message.ts";

/** Mixes the bits of a number, so that books which differ a little have sums that differ a lot. */
function mix(value: number): number {
  let bits = Math.imul(value ^ (value >>> 16), 0x45d9f3b);
  bits = Math.imul(bits ^ (bits >>> 16), 0x45d9f3b);
  return bits ^ (bits >>> 16);
}

/** One symbol's price levels. */
export class OrderBook {
  readonly #levels: Readonly<Record<Side, Map<number, number>>> = { bid: new Map(), ask: new Map() };

  /** Number of levels on both sides. */
  get levelCount(): number {
    return this.#levels.bid.size + this.#levels.ask.size;
  }

  /** @param size - 0 takes the level away. */
  set(side: Side, price: number, size: number): void {
    if (size === 0) this.#levels[side].delete(price);
    else this.#levels[side].set(price, size);
  }

  /** Over every level, in whatever order they stand. */
  checksum(): number {
    let sum = 0;
    for (const [price, size] of this.#levels.bid) sum = (sum + mix(mix(price) ^ size)) | 0;
    for (const [price, size] of this.#levels.ask) sum = (sum + mix(mix(~price) ^ size)) | 0;
    return sum >>> 0;
  }

  snapshot(symbol: string, sequence: number): BookSnapshot {
    const copy = (levels: Map<number, number>): Level[] => [...levels];
    return { symbol, sequence, bids: copy(this.#levels.bid), asks: copy(this.#levels.ask) };
  }

  restore({ bids, asks }: BookSnapshot): void {
    for (const [side, levels] of [
      ["bid", bids],
      ["ask", asks],
    ] as const) {
      this.#levels[side].clear();
      for (const [price, size] of levels) this.#levels[side].set(price, size);
    }
  }
}
