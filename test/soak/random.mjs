/**
 * Random numbers that can be had again: every process of a soak makes the same ones from the same seed. Plain JavaScript, like all
 * programs of this folder, because the side that runs the npm package ws is Node 20.
 */

/** A generator of 32-bit numbers: a counter that is mixed well, so any seed will do. */
export class Random {
  #state;

  /** @param seed - A whole number; its low 32 bits count. */
  constructor(seed) {
    this.#state = seed >>> 0;
  }

  /** 0 to 2^32 - 1. */
  next() {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  }

  /** A whole number from `from` to `to`, both included. */
  between(from, to) {
    return from + Math.floor((this.next() / 2 ** 32) * (to - from + 1));
  }

  /** True in that share of cases. */
  chance(share) {
    return this.next() < share * 2 ** 32;
  }

  /** One of some values. */
  of(values) {
    return values[this.between(0, values.length - 1)];
  }

  /** A key of a table of weights. */
  weighted(table) {
    const entries = Object.entries(table);
    let left = (this.next() / 2 ** 32) * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [key, weight] of entries) {
      left -= weight;
      if (left < 0) return key;
    }
    return entries.at(-1)[0];
  }
}
