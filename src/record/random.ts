/** Numbers that look like chance and are the same each time: for replays, where nothing has to be kept from anybody. */

/** xorshift32 (Marsaglia 2003). */
export class Random {
  #state = 0x9e3779b9;

  fill(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at++) {
      this.#state ^= this.#state << 13;
      this.#state ^= this.#state >>> 17;
      this.#state ^= this.#state << 5;
      bytes[at] = this.#state;
    }
  }
}
