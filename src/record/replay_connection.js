/** A connection whose peer is a recording: what it is sent is counted and forgotten. */
import { RingwireError } from "../errors.js";
import { HandshakeKey } from "./handshake_key.js";
/** See the top of this file. */
export class ReplayConnection {
    handler;
    queuedBytes = 0;
    maxReserveBytes;
    /** The peer's address: asked for by a client, recorded for a server. */
    remote;
    local = undefined;
    /** The recorded stream has begun. */
    isOpen = false;
    isPaused = false;
    isClosed = false;
    /** Bytes sent by the program, and by who was recorded, up to here. */
    sentBytes = 0;
    recordedBytes = 0;
    #host;
    #key;
    #reservedBytes = -1;
    constructor(host, handler, remote, isClient) {
        this.handler = handler;
        this.remote = remote;
        this.maxReserveBytes = host.scratch.length;
        this.#host = host;
        this.#key = isClient ? new HandshakeKey(host.sha1Base64) : undefined;
    }
    // ── Connection ───────────────────────────────────────────────────────────────────────────────
    get out() {
        return this.#host.scratch;
    }
    reserve(sizeBytes) {
        if (sizeBytes > this.maxReserveBytes) {
            throw new RangeError(`Cannot reserve ${sizeBytes} bytes; maxReserveBytes is ${this.maxReserveBytes}`);
        }
        this.#reservedBytes = sizeBytes;
        return 0;
    }
    commit(end) {
        if (end > this.#reservedBytes) {
            throw new RangeError(`Cannot commit up to ${end}: no reservation reaches there`);
        }
        this.#reservedBytes = -1;
        this.sentBytes += end;
        if (this.#key?.isDone === false)
            this.#key.sent(this.out, 0, end);
    }
    pause() {
        this.isPaused = true;
    }
    resume() {
        if (!this.isPaused)
            return;
        this.isPaused = false;
        this.#host.wake();
    }
    end() {
        // The recorded peer does what it did.
    }
    close() {
        if (!this.isClosed)
            this.#host.left(this);
    }
    abort() {
        this.close();
    }
    remoteAddress() {
        return this.isOpen && !this.isClosed ? this.remote : undefined;
    }
    localAddress() {
        return this.isOpen && !this.isClosed ? this.local : undefined;
    }
    tls() {
        return undefined;
    }
    // ── from the recording ───────────────────────────────────────────────────────────────────────
    recordedOut(bytes) {
        this.recordedBytes += bytes.length;
        if (this.#key?.isDone === false)
            this.#key.recorded(bytes);
    }
    recordedIn(bytes) {
        const given = this.#key === undefined || this.#key.isDone ? bytes : this.#key.received(bytes);
        if (given !== undefined)
            this.handler.received(given, 0, given.length);
    }
    recordedEnd() {
        this.#giveRest();
        if (!this.isClosed)
            this.handler.ended();
    }
    /** The last callback. */
    finish(error) {
        if (this.isClosed)
            return;
        this.#giveRest();
        this.isClosed = true;
        this.handler.closed(error);
    }
    #giveRest() {
        if (this.#key === undefined || this.#key.isDone || !this.isOpen)
            return;
        const rest = this.#key.rest();
        if (rest.length > 0)
            this.handler.received(rest, 0, rest.length);
    }
}
/** What ends a connection that the recording does not see to its end. */
export function recordingError(path, why) {
    return new RingwireError("ERR_RECORDING", `Replaying "${path}": ${why}`);
}
