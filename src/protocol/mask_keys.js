/**
 * Masking keys. RFC 6455 §5.3 wants each one unpredictable, so each comes from the runtime's CSPRNG; asked
 * for in bulk, because one call per frame would cost more than the frame.
 */
/** Keys per refill: 1 KiB of randomness, small enough to keep per client loop. */
const POOL_KEYS = 256;
/** A source of masking keys, each used once. */
export class MaskKeys {
    #randomFill;
    #pool;
    #used;
    /** @param randomFill - Fills with bytes from a CSPRNG. Called when the first key is asked for, not before. */
    constructor(randomFill) {
        this.#randomFill = randomFill;
        this.#pool = new Uint32Array(POOL_KEYS);
        this.#used = POOL_KEYS;
    }
    /** The next key, an unsigned 32-bit number. */
    next() {
        if (this.#used === POOL_KEYS)
            this.#refill();
        return this.#pool[this.#used++];
    }
    #refill() {
        // If the source throws, `#used` still says "empty": no key is ever given out twice.
        this.#randomFill(new Uint8Array(this.#pool.buffer));
        this.#used = 0;
    }
}
