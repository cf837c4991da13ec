/** A connection over a runtime's own socket: gathers what a turn commits, queues what the system does not take. */
import { RingwireError } from "../errors.js";
import { SendQueue } from "./send_queue.js";
/** From this size on, a piece of a turn is written by itself rather than copied behind another piece. */
const WRITE_ALONE_BYTES = 16_384;
/** Stands in until there is a handler, and when `accepted` threw. */
const NOBODY = {
    opened() { },
    received() { },
    ended() { },
    drained() { },
    closed() { },
};
/** {@link Connection} over a {@link NativeSocket}. */
export class NativeConnection {
    handler = NOBODY;
    maxReserveBytes;
    /** Whether `flush` has been asked for. */
    isDirty = false;
    #host;
    #arena;
    #socket = undefined;
    /** A connect that has no outcome yet. */
    #connecting = undefined;
    #cancelLinger = undefined;
    #queue = new SendQueue();
    /** What this turn has committed: `#piece[#pieceStart, #pieceEnd)`. */
    #piece;
    #pieceStart = 0;
    #pieceEnd = 0;
    #reservedAt = -1;
    #reservedEnd = -1;
    /** What `queuedBytes` was at most since the last `drained`. */
    #shownBytes = 0;
    /** What of `queuedBytes` the host has counted. */
    #countedBytes = 0;
    #isPaused = false;
    /** Nothing is received any more: closing or dead. */
    #isDeaf = false;
    #isDead = false;
    #isClosing = false;
    #endAsked = false;
    #finSent = false;
    #peerEnded = false;
    #error = undefined;
    constructor(host) {
        this.#host = host;
        this.#arena = host.arena;
        this.#piece = host.arena.bytes;
        this.maxReserveBytes = host.arena.maxBytes;
    }
    // ── Connection ───────────────────────────────────────────────────────────────────────────────
    get queuedBytes() {
        if (this.#isDead)
            return 0;
        const pendingBytes = this.#socket === undefined ? 0 : this.#socket.pendingBytes;
        return this.#pieceEnd - this.#pieceStart + this.#queue.bytes + pendingBytes;
    }
    get out() {
        return this.#arena.bytes;
    }
    reserve(sizeBytes) {
        const arena = this.#arena;
        if (!arena.fits(sizeBytes))
            this.#makeRoom(sizeBytes);
        this.#reservedAt = arena.used;
        this.#reservedEnd = arena.used + sizeBytes;
        return arena.used;
    }
    commit(end) {
        const start = this.#reservedAt;
        const arena = this.#arena;
        if (start !== arena.used || end < start || end > this.#reservedEnd) {
            throw new RangeError(`Cannot commit up to ${end}: no reservation reaches there`);
        }
        this.#reservedAt = -1;
        if (this.#isDead || this.#isClosing || this.#endAsked)
            return;
        arena.used = end;
        if (this.#pieceEnd === start && this.#piece === arena.bytes && this.#pieceStart !== start) {
            this.#pieceEnd = end;
        }
        else {
            if (this.#pieceStart !== this.#pieceEnd)
                this.#setPieceAside();
            this.#piece = arena.bytes;
            this.#pieceStart = start;
            this.#pieceEnd = end;
        }
        const queuedBytes = this.queuedBytes;
        if (queuedBytes > this.#shownBytes)
            this.#shownBytes = queuedBytes;
        if (!this.isDirty)
            this.#host.touch(this);
    }
    pause() {
        if (this.#isPaused || this.#isDeaf)
            return;
        this.#isPaused = true;
        this.#socket?.pause();
    }
    resume() {
        if (!this.#isPaused || this.#isDead)
            return;
        this.#isPaused = false;
        this.#socket?.resume();
    }
    end() {
        if (this.#isDead || this.#endAsked)
            return;
        this.#endAsked = true;
        this.#host.touch(this);
    }
    close() {
        if (this.#isDead || this.#isClosing)
            return;
        this.#isDeaf = true;
        this.#isClosing = true;
        if (this.#socket === undefined && this.queuedBytes === 0) {
            this.abort();
            return;
        }
        // What the peer still sends is read and dropped: closing on unread bytes would reset the connection, and the
        // peer would lose our last ones (RFC 1122 §4.2.2.13).
        this.resume();
        this.#host.touch(this);
    }
    abort() {
        this.#fail(undefined);
    }
    remoteAddress() {
        return (this.#socket ?? this.#connecting)?.remoteAddress();
    }
    localAddress() {
        return this.#socket?.localAddress();
    }
    tls() {
        return this.#socket?.tls();
    }
    // ── for the transport ────────────────────────────────────────────────────────────────────────
    /** Takes the socket of an accepted connection. */
    attach(socket) {
        this.#socket = socket;
        this.#host.stands(socket);
    }
    /** Remembers a connect, which can be given up. */
    connecting(connecting) {
        if (this.#isDead)
            connecting.giveUp();
        else if (this.#socket === undefined)
            this.#connecting = connecting;
    }
    /** Hands what was committed to the system, queues the rest, and takes the steps of closing that are due. */
    flush() {
        this.isDirty = false;
        if (this.#isDead)
            return;
        if (this.#pieceStart !== this.#pieceEnd)
            this.#writePiece();
        // Bytes that were committed while connecting.
        else if (this.#queue.bytes > 0)
            this.#pump();
        this.#progress();
    }
    /** Calls `drained` if `queuedBytes` is below what it has been. */
    settle() {
        const queuedBytes = this.queuedBytes;
        if (this.#isDead || queuedBytes >= this.#shownBytes)
            return;
        this.#shownBytes = queuedBytes;
        this.#call("drained");
    }
    /** Kills without a word from the socket. `deliverClosed` is asked for. */
    fail(error) {
        this.#fail(error);
    }
    deliverClosed() {
        this.#host.enter();
        try {
            this.handler.closed(this.#error);
        }
        catch (error) {
            this.#host.threw(error);
        }
        this.#host.leave();
    }
    // ── NativeSocketHandler ──────────────────────────────────────────────────────────────────────
    opened(socket) {
        if (this.#isDead) {
            socket.abort();
            return;
        }
        this.#connecting = undefined;
        this.#socket = socket;
        this.#host.stands(socket);
        if (this.#isPaused)
            socket.pause();
        this.#host.touch(this);
        if (!this.#isClosing)
            this.#call("opened");
    }
    received(bytes, start, end) {
        if (this.#isDeaf)
            return;
        const host = this.#host;
        host.enter();
        try {
            this.handler.received(bytes, start, end);
        }
        catch (error) {
            host.threw(error);
        }
        host.leave();
    }
    writable() {
        if (this.#isDead)
            return;
        this.#host.enter();
        this.#pump();
        this.#progress();
        this.settle();
        this.#host.leave();
    }
    ended() {
        if (this.#isDead || this.#peerEnded)
            return;
        this.#peerEnded = true;
        this.#host.touch(this);
        if (!this.#isDeaf)
            this.#call("ended");
    }
    closed(error) {
        if (this.#isDead)
            return;
        // After our FIN in a close, the peer's way of going does not matter any more.
        this.#die(this.#isClosing && this.#finSent ? undefined : error);
    }
    // ── inside ───────────────────────────────────────────────────────────────────────────────────
    #call(callback) {
        this.#host.enter();
        try {
            this.handler[callback]();
        }
        catch (error) {
            this.#host.threw(error);
        }
        this.#host.leave();
    }
    #makeRoom(sizeBytes) {
        if (!(sizeBytes <= this.maxReserveBytes)) {
            throw new RangeError(`Cannot reserve ${sizeBytes} bytes; maxReserveBytes is ${this.maxReserveBytes}`);
        }
        this.#host.makeRoom(sizeBytes);
    }
    /** Another connection has committed in between: makes the turn's earlier bytes go first. */
    #setPieceAside() {
        if (this.#pieceEnd - this.#pieceStart >= WRITE_ALONE_BYTES)
            this.#writePiece();
        else
            this.#queuePiece();
    }
    #queuePiece() {
        this.#queue.append(this.#piece, this.#pieceStart, this.#pieceEnd);
        this.#pieceStart = this.#pieceEnd;
    }
    #writePiece() {
        const socket = this.#socket;
        if (socket === undefined || this.#queue.bytes > 0) {
            this.#queuePiece();
        }
        else {
            const end = this.#pieceEnd;
            let start = this.#pieceStart;
            while (start < end) {
                const count = socket.write(this.#piece, start, end);
                if (count === 0)
                    break;
                start += count;
            }
            // The socket may have died in `write`.
            if (this.#isDead)
                return;
            this.#pieceStart = start;
            if (start === end && socket.pendingBytes === 0 && this.#countedBytes === 0)
                return;
            if (start < end) {
                this.#host.shortSend();
                this.#queuePiece();
            }
        }
        this.#pump();
    }
    /** Hands the queue to the system, as much as it takes. */
    #pump() {
        const socket = this.#socket;
        const queue = this.#queue;
        while (socket !== undefined && queue.bytes > 0) {
            const count = socket.write(queue.front, queue.frontStart, queue.frontEnd);
            if (count === 0 || this.#isDead)
                break;
            queue.consume(count);
        }
        if (!this.#isDead)
            this.#count();
    }
    /** Tells the host what is queued, and aborts beyond the limits. */
    #count() {
        const queuedBytes = this.#queue.bytes + (this.#socket === undefined ? 0 : this.#socket.pendingBytes);
        const isWithin = this.#host.queuedChanged(queuedBytes - this.#countedBytes);
        this.#countedBytes = queuedBytes;
        if (queuedBytes > this.#host.maxQueuedBytes || (!isWithin && queuedBytes > 0)) {
            const which = isWithin ? "maxQueuedBytes" : "maxQueuedTotalBytes, over all connections";
            this.#fail(new RingwireError("ERR_BACKPRESSURE", `Lost a connection: the peer does not read, and ${queuedBytes} bytes are queued (limit: ${which})`));
        }
    }
    /** Takes the steps of closing that have become possible. */
    #progress() {
        const socket = this.#socket;
        if (this.#isDead || socket === undefined || this.queuedBytes > 0)
            return;
        if (!this.#endAsked && !this.#isClosing)
            return;
        if (this.#peerEnded) {
            this.#finSent = true;
            socket.close();
            return;
        }
        if (!this.#finSent) {
            this.#finSent = true;
            socket.end();
        }
        if (this.#isClosing && !this.#isDead && this.#cancelLinger === undefined) {
            this.#cancelLinger = this.#host.linger(() => {
                this.#socket?.close();
                this.#die(undefined);
            });
        }
    }
    #fail(error) {
        if (this.#isDead)
            return;
        const socket = this.#socket;
        const connecting = this.#connecting;
        // Dead first: some runtimes call `closed` from inside `abort`.
        this.#die(error);
        socket?.abort();
        connecting?.giveUp();
    }
    #die(error) {
        if (this.#isDead)
            return;
        this.#isDead = true;
        this.#isDeaf = true;
        this.#error = error;
        this.#socket = undefined;
        this.#connecting = undefined;
        this.#cancelLinger?.();
        this.#cancelLinger = undefined;
        this.#queue.clear();
        this.#pieceStart = this.#pieceEnd;
        this.#piece = this.#arena.bytes;
        this.#host.queuedChanged(-this.#countedBytes);
        this.#countedBytes = 0;
        this.#host.died(this);
    }
}
