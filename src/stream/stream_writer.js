/** The sending side of a stream: what a program writes against what the peer takes. */
import { RingwireError } from "../errors.js";
import { copyBytes } from "../protocol/copy_bytes.js";
/** Writes to one connection under the limits of its settings. */
export class StreamWriter {
    #transport;
    #connection;
    #settings;
    #overflowed;
    #wantsDrain = false;
    #isClosed = false;
    #waiters = [];
    /** @param overflowed - Breaks the connection, for `whenFull: "close"`. */
    constructor(transport, connection, settings, overflowed) {
        this.#transport = transport;
        this.#connection = connection;
        this.#settings = settings;
        this.#overflowed = overflowed;
    }
    /** @throws RingwireError as documented at `Stream.write`. */
    write(bytes) {
        const { length } = bytes;
        if (length === 0)
            return "sent";
        if (!this.#fits(this.#settings.maxBufferedBytes - length))
            return this.#refuse(length);
        const connection = this.#connection;
        for (let start = 0; start < length;) {
            const size = Math.min(length - start, connection.maxReserveBytes);
            const at = connection.reserve(size);
            copyBytes(bytes, start, start + size, connection.out, at);
            connection.commit(at + size);
            start += size;
        }
        if (this.#fits(this.#settings.highWaterBytes))
            return "sent";
        this.#wantsDrain = true;
        return "queued";
    }
    /** Resolves once at or below the low mark. */
    drained() {
        if (this.#isClosed)
            return Promise.reject(closedError());
        if (this.#connection.queuedBytes <= this.#settings.lowWaterBytes)
            return Promise.resolve();
        return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
    }
    /** The queue became shorter. Returns whether the `drain` handler is due. */
    shrank() {
        const isAwaited = this.#wantsDrain || this.#waiters.length > 0;
        if (!isAwaited || this.#connection.queuedBytes > this.#settings.lowWaterBytes)
            return false;
        for (const waiter of this.#waiters.splice(0))
            waiter.resolve();
        const isDue = this.#wantsDrain;
        this.#wantsDrain = false;
        return isDue;
    }
    /** Nobody will be drained any more. */
    close() {
        this.#isClosed = true;
        for (const waiter of this.#waiters.splice(0))
            waiter.reject(closedError());
    }
    /** Whether the queue is no longer than that. What this turn has gathered is handed to the kernel first: it may take all of it. */
    #fits(bytes) {
        if (this.#connection.queuedBytes <= bytes)
            return true;
        this.#transport.flush();
        return this.#connection.queuedBytes <= bytes;
    }
    #refuse(sizeBytes) {
        const { maxBufferedBytes, whenFull } = this.#settings;
        if (sizeBytes > maxBufferedBytes) {
            throw new RingwireError("ERR_MESSAGE_TOO_LARGE", `Cannot write ${sizeBytes} bytes at once: more than maxBufferedBytes (${maxBufferedBytes}); raise the option or write less`);
        }
        this.#wantsDrain = true;
        if (whenFull === "wait") {
            throw new RingwireError("ERR_BACKPRESSURE", "Cannot write: the queue is full; await drained() and write again");
        }
        if (whenFull === "close")
            this.#overflowed();
        return "dropped";
    }
}
function closedError() {
    return new RingwireError("ERR_NOT_OPEN", "Cannot wait for drain: the stream has closed");
}
