/**
 * What an endpoint watches on an open connection, on one timer of the loop's wheel: whether messages come, when a heartbeat is due, and
 * how long the connection may live. Receiving costs nothing: the timer looks at the session's own count.
 */
import { Timer } from "../timer_wheel.js";
/** Staleness may be found so much later than it began, as a share of `staleMs`. */
const CHECKS_PER_INTERVAL = 8;
/** How long `canAutoDisconnect` is left alone after it has said no. */
const ASK_AGAIN_MS = 1_000;
/** See the top of this file. */
export class LineWatch extends Timer {
    #wheel;
    #nowMs;
    #plan;
    #line;
    #owner;
    #isOver = false;
    #seenCount = 0;
    #silentSinceMs = 0;
    #nextBeatMs = Infinity;
    #dueMs = Infinity;
    constructor(wheel, nowMs, plan, line, owner) {
        super();
        this.#wheel = wheel;
        this.#nowMs = nowMs;
        this.#plan = plan;
        this.#line = line;
        this.#owner = owner;
    }
    /** Begins, with the time that counts as the last message's. */
    start() {
        const { heartbeatMs, ttlMs } = this.#plan;
        const nowMs = this.#nowMs();
        this.#silentSinceMs = nowMs;
        if (heartbeatMs > 0)
            this.#nextBeatMs = nowMs + heartbeatMs;
        if (ttlMs > 0)
            this.#dueMs = nowMs + ttlMs;
        this.#schedule(nowMs);
    }
    /** Ends all watching. */
    stop() {
        this.#isOver = true;
        this.#wheel.cancel(this);
    }
    expired() {
        const nowMs = this.#nowMs();
        const { staleMs, heartbeatMs } = this.#plan;
        if (this.#line.messageCount !== this.#seenCount || !this.#line.isReceiving) {
            this.#seenCount = this.#line.messageCount;
            this.#silentSinceMs = nowMs;
        }
        if (staleMs > 0 && nowMs - this.#silentSinceMs >= staleMs) {
            this.#owner.isStale(this.#silentSinceMs);
        }
        if (!this.#isOver && nowMs >= this.#nextBeatMs) {
            this.#nextBeatMs = nowMs + heartbeatMs;
            this.#owner.beat();
        }
        if (!this.#isOver && nowMs >= this.#dueMs) {
            this.#dueMs = this.#owner.isDue() ? Infinity : nowMs + ASK_AGAIN_MS;
        }
        // The owner may have stopped it in any of them.
        if (!this.#isOver)
            this.#schedule(nowMs);
    }
    #schedule(nowMs) {
        const { staleMs } = this.#plan;
        const checkMs = staleMs > 0 ? staleMs / CHECKS_PER_INTERVAL : Infinity;
        const delayMs = Math.min(checkMs, this.#nextBeatMs - nowMs, this.#dueMs - nowMs);
        if (delayMs !== Infinity)
            this.#wheel.schedule(this, nowMs, delayMs);
    }
}
