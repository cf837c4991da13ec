/**
 * The counters of one group of sockets: a server's, a service's, the clients' of a loop. Sockets add to plain numbers; everything
 * else happens when somebody asks.
 */
import { Histogram } from "./histogram.js";
/** {@link Metrics} from the inside. One group may be part of a larger one, which shows the sum. */
export class Counters {
    connections = 0;
    connectionsOpened = 0;
    connectionsFailed = 0;
    connectionsClosed = 0;
    messagesReceived = 0;
    messagesSent = 0;
    messagesDropped = 0;
    messagesShed = 0;
    bytesReceived = 0;
    bytesSent = 0;
    backpressures = 0;
    #nowMs;
    #whole;
    #parts = new Set();
    #errors = new Map();
    /** 27 KiB each: not before there is something to record. */
    #openingMs = undefined;
    #roundTripMs = undefined;
    #sinceMs;
    /**
     * @param nowMs - The clock: monotonic milliseconds.
     * @param whole - Shows the sum; see `part`.
     */
    constructor(nowMs, whole) {
        this.#nowMs = nowMs;
        this.#whole = whole;
        this.#sinceMs = nowMs();
    }
    /** A group of its own that this one includes, until it is left to it for good by `fold`. */
    part() {
        const part = new Counters(this.#nowMs, this);
        this.#parts.add(part);
        return part;
    }
    /** Ends a part: the whole keeps what it has counted. Idempotent. */
    fold() {
        const whole = this.#whole;
        if (whole === undefined || !whole.#parts.delete(this))
            return;
        whole.#add(this);
    }
    /** Counts a failure. */
    failed(error) {
        this.#errors.set(error.code, (this.#errors.get(error.code) ?? 0) + 1);
    }
    /** Counts a socket that has opened. */
    opened() {
        this.connections++;
        this.connectionsOpened++;
    }
    /** Counts how long a client took to open a socket. */
    took(openingMs) {
        this.#openingMs ??= new Histogram();
        this.#openingMs.record(openingMs);
    }
    /** Counts a socket that is gone. */
    closed() {
        this.connections--;
        this.connectionsClosed++;
    }
    /** Counts a pong. */
    answered(roundTripMs) {
        this.#roundTripMs ??= new Histogram();
        this.#roundTripMs.record(roundTripMs);
    }
    snapshot() {
        const sum = new Counters(this.#nowMs);
        sum.#add(this);
        const empty = new Histogram();
        return {
            elapsedMs: this.#nowMs() - this.#sinceMs,
            connections: sum.connections,
            connectionsOpened: sum.connectionsOpened,
            connectionsFailed: sum.connectionsFailed,
            connectionsClosed: sum.connectionsClosed,
            messagesReceived: sum.messagesReceived,
            messagesSent: sum.messagesSent,
            messagesDropped: sum.messagesDropped,
            messagesShed: sum.messagesShed,
            bytesReceived: sum.bytesReceived,
            bytesSent: sum.bytesSent,
            backpressures: sum.backpressures,
            errors: Object.fromEntries(sum.#errors),
            openingMs: (sum.#openingMs ?? empty).snapshot(),
            roundTripMs: (sum.#roundTripMs ?? empty).snapshot(),
        };
    }
    reset() {
        for (const part of this.#parts)
            part.reset();
        this.connectionsOpened = 0;
        this.connectionsFailed = 0;
        this.connectionsClosed = 0;
        this.messagesReceived = 0;
        this.messagesSent = 0;
        this.messagesDropped = 0;
        this.messagesShed = 0;
        this.bytesReceived = 0;
        this.bytesSent = 0;
        this.backpressures = 0;
        this.#errors.clear();
        this.#openingMs?.reset();
        this.#roundTripMs?.reset();
        this.#sinceMs = this.#nowMs();
    }
    /** Adds what another group and its parts have counted. */
    #add(other) {
        this.connections += other.connections;
        this.connectionsOpened += other.connectionsOpened;
        this.connectionsFailed += other.connectionsFailed;
        this.connectionsClosed += other.connectionsClosed;
        this.messagesReceived += other.messagesReceived;
        this.messagesSent += other.messagesSent;
        this.messagesDropped += other.messagesDropped;
        this.messagesShed += other.messagesShed;
        this.bytesReceived += other.bytesReceived;
        this.bytesSent += other.bytesSent;
        this.backpressures += other.backpressures;
        for (const [code, count] of other.#errors)
            this.#errors.set(code, (this.#errors.get(code) ?? 0) + count);
        this.#openingMs = sumOf(this.#openingMs, other.#openingMs);
        this.#roundTripMs = sumOf(this.#roundTripMs, other.#roundTripMs);
        for (const part of other.#parts)
            this.#add(part);
    }
}
function sumOf(sum, other) {
    if (other === undefined)
        return sum;
    const result = sum ?? new Histogram();
    result.add(other);
    return result;
}
