/** How long to wait before the next attempt: longer after each failure, and by chance, so that clients of one server do not come back together. */
/** Exponential backoff with full jitter: anything from 0 to a ceiling that grows with each failure in a row. */
export class Backoff {
    #plan;
    #random;
    #failures = 0;
    /** @param random - Evenly distributed, 0 included and 1 not. */
    constructor(plan, random) {
        this.#plan = plan;
        this.#random = random;
    }
    /** Failures since the last `reset`. */
    get failures() {
        return this.#failures;
    }
    /** Counts a failure and draws the delay before the next attempt, milliseconds. */
    next() {
        const { initialMs, factor, maxMs } = this.#plan;
        const ceilingMs = Math.min(maxMs, initialMs * factor ** this.#failures);
        this.#failures++;
        return this.#random() * ceilingMs;
    }
    /** What was tried has proved itself: the next delay is drawn as the first. */
    reset() {
        this.#failures = 0;
    }
}
