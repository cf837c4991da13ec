/** Messages that wait because they would leave faster than `sendLimit` allows: one socket's side of it, in order. */
import { openQueue } from "../limit/rate.js";
import { MAX_HEADER_BYTES } from "../protocol/frame_encoder.js";
/** See the top of this file. */
export class Pacer {
    #messages;
    #bytes;
    #send = () => undefined;
    /** Those from `#first` on wait. */
    #held = [];
    #first = 0;
    #heldBytes = 0;
    /** What the oldest one waits for. */
    #waiter = undefined;
    constructor(rates, engine) {
        this.#messages = openQueue(rates.messages, engine);
        this.#bytes = openQueue(rates.bytes, engine);
    }
    /** Says what sends a message whose time has come. */
    start(send) {
        this.#send = send;
    }
    /** Bytes that wait, as frames of them would count. */
    get heldBytes() {
        return this.#heldBytes;
    }
    /** Whether a message may leave now; then it is counted as sent. */
    takes(sizeBytes) {
        if (this.#isHolding)
            return false;
        return this.#tryTake(sizeBytes);
    }
    /** Keeps a message until its time has come. */
    hold(message) {
        this.#held.push(message);
        this.#heldBytes += frameBytes(message);
        if (this.#held.length - this.#first === 1)
            this.#await();
    }
    /** Counts a control frame, which never waits. */
    charge() {
        this.#messages?.take(1);
    }
    /** Waits for nothing any more. Returns what was held, oldest first. */
    release() {
        if (this.#waiter !== undefined)
            this.#waiter.queue.cancel(this.#waiter.waiter);
        this.#waiter = undefined;
        const held = this.#held.slice(this.#first);
        this.#held = [];
        this.#first = 0;
        this.#heldBytes = 0;
        return held;
    }
    get #isHolding() {
        return this.#first < this.#held.length;
    }
    /** Both or none. */
    #tryTake(sizeBytes) {
        if (this.#messages?.has(1) === false || this.#bytes?.has(sizeBytes) === false)
            return false;
        this.#messages?.take(1);
        this.#bytes?.take(sizeBytes);
        return true;
    }
    /** Has the oldest message wait for its permits, of one kind after the other. */
    #await() {
        this.#request(this.#messages, 1, () => this.#request(this.#bytes, this.#oldest.bytes.length, () => this.#granted()));
    }
    #request(queue, permits, then) {
        if (queue === undefined) {
            then();
            return;
        }
        const granted = () => {
            this.#waiter = undefined;
            then();
        };
        const waiter = { permits, granted };
        this.#waiter = { queue, waiter };
        queue.request(waiter);
    }
    get #oldest() {
        return this.#held[this.#first];
    }
    /** The oldest one's time has come; perhaps that of others too. */
    #granted() {
        do
            this.#sendOldest();
        while (this.#isHolding && this.#tryTake(this.#oldest.bytes.length));
        if (this.#isHolding)
            this.#await();
    }
    #sendOldest() {
        const message = this.#oldest;
        this.#first++;
        if (!this.#isHolding) {
            this.#held = [];
            this.#first = 0;
        }
        this.#heldBytes -= frameBytes(message);
        this.#send(message);
    }
}
function frameBytes({ bytes }) {
    return bytes.length + MAX_HEADER_BYTES;
}
