/** What of a peer's messages is let through at once, under `receiveLimit`: one socket's side of it. */
import { openQueue } from "../limit/rate.js";
/** See the top of this file. */
export class ReceiveLimiter {
    whenExceeded;
    #shares;
    #ready;
    /** @param ready - With `pause`: what was waited for is there, the next message may come. */
    constructor(limit, engine, ready) {
        this.whenExceeded = limit.whenExceeded;
        this.#ready = ready;
        this.#shares = [
            ...sharesOf(openQueue(limit.messages, engine), false),
            ...sharesOf(openQueue(limit.bytes, engine), true),
        ];
    }
    /** Whether a message may be delivered. With `pause` every one may; whether the next has to wait is told by `mustWait`. */
    admits(sizeBytes) {
        if (this.whenExceeded !== "pause") {
            // All or none: a message that is refused must not cost the other limit anything.
            for (const { queue, isBytes } of this.#shares)
                if (!queue.has(isBytes ? sizeBytes : 1))
                    return false;
        }
        for (const share of this.#shares) {
            const permits = share.isBytes ? sizeBytes : 1;
            share.queue.take(share.isPrepaid ? permits - 1 : permits);
            share.isPrepaid = false;
        }
        return true;
    }
    /** With `pause`: whether the next message has to wait. Then `ready` comes. */
    mustWait() {
        if (this.whenExceeded !== "pause")
            return false;
        for (const share of this.#shares) {
            if (share.waiter !== undefined || share.isPrepaid || share.queue.has(1))
                continue;
            share.waiter = { permits: 1, granted: () => this.#granted(share) };
            share.queue.request(share.waiter);
        }
        return this.#isWaiting;
    }
    /** Waits no longer. */
    close() {
        for (const share of this.#shares) {
            if (share.waiter !== undefined)
                share.queue.cancel(share.waiter);
            share.waiter = undefined;
        }
    }
    get #isWaiting() {
        return this.#shares.some(({ waiter }) => waiter !== undefined);
    }
    #granted(share) {
        share.waiter = undefined;
        share.isPrepaid = true;
        if (!this.#isWaiting)
            this.#ready();
    }
}
function sharesOf(queue, isBytes) {
    return queue === undefined ? [] : [{ queue, isBytes, waiter: undefined, isPrepaid: false }];
}
