/**
 * How long the peer of a socket takes to answer a ping. Only the latest counts: a peer may leave earlier ones unanswered (RFC 6455 §5.5.3), and a
 * pong that answers none is a heartbeat of its own.
 */
/** See the top of this file. */
export class RoundTrip {
    /** The last answer's time, milliseconds; undefined before the first. */
    lastMs = undefined;
    /** Of the ping that waits for its answer. */
    #payload = undefined;
    #sentMs = 0;
    /** A ping was sent. */
    pinged(payload, nowMs) {
        this.#payload = payload.slice();
        this.#sentMs = nowMs;
    }
    /** A pong came. Returns how long that took, milliseconds; undefined when it answers no ping that waits. */
    answered(payload, nowMs) {
        const expected = this.#payload;
        if (expected === undefined || !isSame(expected, payload))
            return undefined;
        this.#payload = undefined;
        this.lastMs = nowMs - this.#sentMs;
        return this.lastMs;
    }
}
function isSame(a, b) {
    return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
