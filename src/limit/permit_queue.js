/** Who waits for permits of one bucket: first come, first served, on one timer of the loop's wheel. */
import { CallbackTimer } from "../timer_wheel.js";
import { TokenBucket } from "./token_bucket.js";
/** What the wheel may be late by, and a little more. */
const LATENESS_MS = 20;
/** See the top of this file. */
export class PermitQueue {
    #bucket;
    #perSecond;
    #wheel;
    #nowMs;
    /** In the order of their coming. */
    #waiters = new Set();
    #waitingPermits = 0;
    #timer = new CallbackTimer(() => this.#serve());
    constructor(terms, wheel, nowMs) {
        this.#bucket = new TokenBucket(terms.perSecond, terms.burst, nowMs());
        this.#perSecond = terms.perSecond;
        this.#wheel = wheel;
        this.#nowMs = nowMs;
    }
    /** How many wait. */
    get waiting() {
        return this.#waiters.size;
    }
    /** Permits there are; below 0: those that were taken in advance. */
    get balance() {
        return this.#bucket.balance(this.#nowMs());
    }
    /** Takes permits, if there are as many and nobody waits for them. More than the burst count as there when the bucket is full. */
    tryTake(permits) {
        if (!this.has(permits))
            return false;
        this.take(permits);
        return true;
    }
    /** Whether `tryTake` would succeed. */
    has(permits) {
        return this.#waiters.size === 0 && this.#bucket.has(permits, this.#nowMs());
    }
    /** Takes permits whether there are as many or not, ahead of everybody. */
    take(permits) {
        this.#bucket.take(permits, this.#nowMs());
    }
    /** How long a newcomer would wait for one permit, milliseconds. */
    get retryAfterMs() {
        const nowMs = this.#nowMs();
        if (this.#waiters.size === 0)
            return this.#bucket.waitMs(1, nowMs);
        // Behind all others, each of which takes the whole of what it asked for.
        return ((this.#waitingPermits + 1 - this.#bucket.balance(nowMs)) / this.#perSecond) * 1_000;
    }
    /** Waits. */
    request(waiter) {
        if (this.tryTake(waiter.permits)) {
            waiter.granted();
            return;
        }
        this.#waiters.add(waiter);
        this.#waitingPermits += waiter.permits;
        if (this.#waiters.size === 1)
            this.#arm(waiter);
    }
    /** Waits no longer. Does nothing for one that does not wait. */
    cancel(waiter) {
        if (!this.#waiters.delete(waiter))
            return;
        this.#waitingPermits -= waiter.permits;
        this.#armForFirst();
    }
    #serve() {
        const nowMs = this.#nowMs();
        this.#bucket.catchUp(nowMs, LATENESS_MS);
        try {
            for (const waiter of this.#waiters) {
                if (!this.#bucket.has(waiter.permits, nowMs))
                    break;
                this.#bucket.take(waiter.permits, nowMs);
                this.#waiters.delete(waiter);
                this.#waitingPermits -= waiter.permits;
                waiter.granted();
            }
        }
        finally {
            this.#armForFirst();
        }
    }
    #armForFirst() {
        for (const first of this.#waiters) {
            this.#arm(first);
            return;
        }
        this.#wheel.cancel(this.#timer);
    }
    #arm(first) {
        const nowMs = this.#nowMs();
        this.#wheel.schedule(this.#timer, nowMs, this.#bucket.waitMs(first.permits, nowMs));
    }
}
