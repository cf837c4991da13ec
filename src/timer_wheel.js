/**
 * All deadlines of a loop on one hashed wheel: scheduling and cancelling are O(1), and however many
 * connections wait, the runtime has one timer. Late by at most one tick plus the coalescing below, never early.
 */
const SLOT_COUNT = 512;
const TICK_MS = 8;
/** Long delays are rounded up by at most 1/16, so that thousands of them share few wake-ups. */
const COALESCE_SHIFT = 4;
/** `dueTick` of a timer that does not wait. */
const IDLE = -1;
/** `dueTick` of a timer whose turn has come and that will expire within this `advance`, unless cancelled. */
const EXPIRING = -2;
/** Something with a deadline. Intrusive: lives in at most one slot of one wheel. */
export class Timer {
    /** Neighbours in the slot; owned by the wheel. */
    next = undefined;
    previous = undefined;
    /** Tick at which it is due, or one of the states above. Owned by the wheel. */
    dueTick = IDLE;
}
/** A wheel of timers, told the time by its owner. */
export class TimerWheel {
    #slots = new Array(SLOT_COUNT).fill(undefined);
    #armed;
    #tick;
    #count = 0;
    /**
     * @param nowMs - Monotonic time now.
     * @param armed - Called after each schedule with the time at which the wheel wants to be advanced for it.
     */
    constructor(nowMs, armed) {
        this.#tick = Math.floor(nowMs / TICK_MS);
        this.#armed = armed;
    }
    /** Number of timers waiting. */
    get count() {
        return this.#count;
    }
    /** Makes a timer expire `delayMs` from `nowMs`; moves it if it is waiting already. */
    schedule(timer, nowMs, delayMs) {
        this.cancel(timer);
        const delayTicks = Math.max(1, Math.ceil(delayMs / TICK_MS));
        const granularity = 1 << Math.max(0, 31 - Math.clz32(delayTicks) - COALESCE_SHIFT);
        const due = Math.ceil(Math.ceil(nowMs / TICK_MS + delayTicks) / granularity) * granularity;
        timer.dueTick = Math.max(due, this.#tick + 1);
        const slot = timer.dueTick % SLOT_COUNT;
        const head = this.#slots[slot];
        timer.next = head;
        timer.previous = undefined;
        if (head !== undefined)
            head.previous = timer;
        this.#slots[slot] = timer;
        this.#count++;
        this.#armed(timer.dueTick * TICK_MS);
    }
    /** Forgets a timer. Does nothing when it is not waiting. */
    cancel(timer) {
        if (timer.dueTick >= 0)
            this.#unlink(timer);
        timer.dueTick = IDLE;
    }
    /** Expires everything that is due at `nowMs`. Returns how many. */
    advance(nowMs) {
        const target = Math.floor(nowMs / TICK_MS);
        let expired = 0;
        // After a long sleep one revolution sees every slot; more would repeat it.
        let tick = Math.max(this.#tick, target - SLOT_COUNT);
        while (tick < target) {
            tick++;
            expired += this.#expireSlot(tick % SLOT_COUNT, target);
        }
        this.#tick = Math.max(this.#tick, target);
        return expired;
    }
    /** When the wheel next needs `advance`, in monotonic milliseconds; Infinity when nothing waits. */
    nextDueMs() {
        if (this.#count === 0)
            return Infinity;
        let best = Infinity;
        for (let distance = 1; distance <= SLOT_COUNT; distance++) {
            const tick = this.#tick + distance;
            for (let timer = this.#slots[tick % SLOT_COUNT]; timer !== undefined; timer = timer.next) {
                if (timer.dueTick < best)
                    best = timer.dueTick;
            }
            if (best <= tick)
                break;
        }
        return best * TICK_MS;
    }
    #expireSlot(slot, target) {
        // Taken out first and run afterwards: a timer may cancel or schedule any other.
        const due = [];
        let timer = this.#slots[slot];
        while (timer !== undefined) {
            const following = timer.next;
            if (timer.dueTick <= target) {
                this.#unlink(timer);
                timer.dueTick = EXPIRING;
                due.push(timer);
            }
            timer = following;
        }
        let expired = 0;
        for (const each of due) {
            if (each.dueTick !== EXPIRING)
                continue;
            each.dueTick = IDLE;
            expired++;
            try {
                each.expired();
            }
            catch (error) {
                // The others are due all the same; the error reaches the runtime's handling of uncaught ones.
                queueMicrotask(() => {
                    throw error;
                });
            }
        }
        return expired;
    }
    #unlink(timer) {
        if (timer.previous === undefined)
            this.#slots[timer.dueTick % SLOT_COUNT] = timer.next;
        else
            timer.previous.next = timer.next;
        if (timer.next !== undefined)
            timer.next.previous = timer.previous;
        timer.next = undefined;
        timer.previous = undefined;
        this.#count--;
    }
}
/** A timer that calls a function. */
export class CallbackTimer extends Timer {
    #callback;
    constructor(callback) {
        super();
        this.#callback = callback;
    }
    expired() {
        this.#callback();
    }
}
