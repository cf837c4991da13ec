/** A token bucket: so many permits a second, saved up to a burst. Knows no clock: whoever asks says what time it is. */
/** Rounding must not make somebody wait who has waited long enough. */
const EPSILON = 1e-6;
/** See the top of this file. */
export class TokenBucket {
    burst;
    #perMs;
    #balance;
    #atMs;
    /**
     * Begins full.
     *
     * @param perSecond - Permits that come per second; above 0.
     * @param burst - Permits that can be saved; at least 1.
     */
    constructor(perSecond, burst, nowMs) {
        this.burst = burst;
        this.#perMs = perSecond / 1_000;
        this.#balance = burst;
        this.#atMs = nowMs;
    }
    /** Permits there are; below 0: those that were taken in advance. */
    balance(nowMs) {
        this.#refill(nowMs, this.burst);
        return this.#balance;
    }
    /** Whether `take` would be right now: there are as many, or the bucket is full and still too small for them. */
    has(permits, nowMs) {
        return this.balance(nowMs) + EPSILON >= Math.min(permits, this.burst);
    }
    /** Takes permits whether there are as many or not. What is taken in advance is missing to those who come next. */
    take(permits, nowMs) {
        this.#refill(nowMs, this.burst);
        this.#balance -= permits;
    }
    /** How long until `has` will be true, milliseconds; 0: it is. */
    waitMs(permits, nowMs) {
        const missing = Math.min(permits, this.burst) - this.balance(nowMs);
        return missing <= EPSILON ? 0 : missing / this.#perMs;
    }
    /**
     * Lets permits come beyond the burst, for somebody who has waited and was called late: a loop's deadlines are no finer than some
     * milliseconds, and a small burst would lose what comes in between.
     *
     * @param latenessMs - At most so much more than the burst.
     */
    catchUp(nowMs, latenessMs) {
        this.#refill(nowMs, this.burst + latenessMs * this.#perMs);
    }
    #refill(nowMs, capacity) {
        const passedMs = nowMs - this.#atMs;
        if (passedMs <= 0)
            return;
        this.#atMs = nowMs;
        // What has been caught up stays.
        const most = Math.max(capacity, this.#balance);
        this.#balance = Math.min(most, this.#balance + passedMs * this.#perMs);
    }
}
