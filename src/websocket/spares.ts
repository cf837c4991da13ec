/** What a socket needs only while it is busy, lent to one after the other, so that idle ones have none. */

/** Enough for handlers that nest and messages that are incomplete for a moment; those of a burst are garbage. */
const MAX_SPARES = 8;

/** See the top of this file. */
export class Spares<Item> {
  readonly #make: () => Item;
  readonly #items: Item[] = [];

  /** @param make - Makes one when none is there. */
  constructor(make: () => Item) {
    this.#make = make;
  }

  take(): Item {
    return this.#items.pop() ?? this.#make();
  }

  /** Takes one back, as good as new. */
  give(item: Item): void {
    if (this.#items.length < MAX_SPARES) this.#items.push(item);
  }
}
