/**
 * Received messages that nobody has taken yet: those for `for await`, and those that came with the bytes in hand
 * when receiving was paused. Its owner keeps it short by pausing the connection.
 */
/** First in, first out, with the bytes it holds. */
export class MessageQueue {
    /** Bytes of all messages held, strings counted at two bytes a unit. */
    heldBytes = 0;
    #messages = [];
    #head = 0;
    /** Number of messages held. */
    get count() {
        return this.#messages.length - this.#head;
    }
    push(message) {
        this.#messages.push(message);
        this.heldBytes += sizeOf(message);
    }
    shift() {
        if (this.#head === this.#messages.length)
            return undefined;
        const message = this.#messages[this.#head];
        this.#messages[this.#head++] = undefined;
        this.heldBytes -= sizeOf(message);
        // Moving the rest down once half is spent keeps both ends O(1) on average.
        if (this.#head * 2 > this.#messages.length) {
            this.#messages = this.#messages.slice(this.#head);
            this.#head = 0;
        }
        return message;
    }
}
/** Small messages cost more than their payload: an object and its header. */
const MESSAGE_OVERHEAD_BYTES = 64;
function sizeOf(message) {
    const value = message.value;
    return MESSAGE_OVERHEAD_BYTES + (typeof value === "string" ? value.length * 2 : value.byteLength);
}
