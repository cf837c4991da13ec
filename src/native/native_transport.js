/**
 * A transport over the runtime's own sockets, for where io_uring is not to be had. The runtime's event loop
 * drives it: a turn is one callback of a socket, and what its handler sends leaves when it returns.
 */
import { RingwireError } from "../errors.js";
import { scalarKernels } from "../protocol/scalar_kernels.js";
import { NativeConnection } from "./native_connection.js";
import { SendArena } from "./send_arena.js";
/** Larger gains nothing: the system takes less than this at once. */
const MAX_ARENA_BYTES = 1 << 20;
/** How long after our FIN the peer may take to send its own before the socket is closed all the same. */
const LINGER_MS = 1_000;
/** Takes a socket that nobody wants. */
const REFUSED = {
    opened() { },
    received() { },
    writable() { },
    ended() { },
    closed() { },
};
/** Opens a transport over `runtime.sockets`. Nothing is taken from the system until it listens or connects. */
export function openNativeTransport(options) {
    return new NativeTransport(options);
}
class NativeTransport {
    kind = "native";
    reason;
    kernels;
    canPoll = false;
    #runtime;
    #limits;
    #spinMs;
    #turns;
    #connections = new Set();
    #listeners = new Set();
    #openCodec;
    #codec = undefined;
    #isClosed = false;
    constructor(options) {
        this.#runtime = options.runtime;
        this.#limits = options.limits;
        this.reason = options.reason;
        this.kernels = options.kernels ?? scalarKernels;
        this.#openCodec = options.openCodec ?? (() => options.runtime.openCodec());
        this.#spinMs = options.drive === "spin" ? options.spinUs / 1_000 : 0;
        this.#turns = new Turns(options.runtime, options.limits, this.#spinMs, this.#connections);
    }
    get codec() {
        this.#codec ??= this.#openCodec();
        return this.#codec;
    }
    async listen(endpoint, handler) {
        this.#checkOpen("listen");
        if (this.#isFull())
            throw this.#tooMany("listen");
        let isOpen = true;
        const listener = await this.#runtime.sockets.listen(endpoint, (socket) => (isOpen && !this.#isClosed ? this.#accept(socket, handler) : refuse(socket)), (error) => this.#acceptFailed(handler, error));
        if (this.#isClosed) {
            listener.close();
            this.#checkOpen("listen");
        }
        this.#listeners.add(listener);
        return {
            address: listener.address,
            close: () => {
                if (!isOpen)
                    return;
                isOpen = false;
                this.#listeners.delete(listener);
                listener.close();
            },
            updateTls: (settings) => listener.updateTls(settings),
        };
    }
    connect(endpoint, handler) {
        this.#checkOpen("connect");
        if (this.#isFull())
            throw this.#tooMany("connect");
        const connection = new NativeConnection(this.#turns);
        connection.handler = handler;
        const connecting = this.#runtime.sockets.connect(endpoint, connection);
        this.#connections.add(connection);
        connection.connecting(connecting);
        return connection;
    }
    flush() {
        this.#turns.flush();
    }
    poll() {
        throw new RingwireError("ERR_DRIVE_UNAVAILABLE", 'Cannot poll native sockets: the runtime\'s event loop drives them; use drive "auto" or "spin"');
    }
    stats() {
        return {
            connections: this.#connections.size,
            turns: this.#turns.count,
            enters: 0,
            shortSends: this.#turns.shortSends,
            noBuffers: 0,
            parks: 0,
            handshakes: this.#turns.handshakes,
            resumptions: this.#turns.resumptions,
        };
    }
    close() {
        if (this.#isClosed)
            return;
        this.#isClosed = true;
        for (const listener of this.#listeners)
            listener.close();
        this.#listeners.clear();
        for (const connection of this.#connections)
            connection.abort();
        this.#turns.close();
        this.#codec?.close();
    }
    #accept(socket, handler) {
        if (this.#isFull()) {
            this.#acceptFailed(handler, this.#tooMany("accept a connection"));
            return refuse(socket);
        }
        const turns = this.#turns;
        const connection = new NativeConnection(turns);
        connection.attach(socket);
        this.#connections.add(connection);
        turns.enter();
        try {
            connection.handler = handler.accepted(connection);
        }
        catch (error) {
            connection.abort();
            turns.threw(error);
        }
        turns.leave();
        return connection;
    }
    #acceptFailed(handler, error) {
        if (this.#isClosed)
            return;
        this.#turns.enter();
        try {
            handler.failed(error);
        }
        catch (thrown) {
            this.#turns.threw(thrown);
        }
        this.#turns.leave();
    }
    #isFull() {
        return this.#connections.size + this.#listeners.size >= this.#limits.maxConnections;
    }
    #tooMany(action) {
        return new RingwireError("ERR_TOO_MANY_CONNECTIONS", `Cannot ${action}: ${this.#limits.maxConnections} connections and listeners are open (maxConnections)`);
    }
    #checkOpen(action) {
        if (this.#isClosed)
            throw new RingwireError("ERR_NOT_OPEN", `Cannot ${action}: the transport is closed`);
    }
}
function refuse(socket) {
    socket.abort();
    return REFUSED;
}
/** Turns of one transport: when what was committed is flushed, and when deferred callbacks come. */
class Turns {
    arena;
    maxQueuedBytes;
    count = 0;
    shortSends = 0;
    handshakes = 0;
    resumptions = 0;
    #runtime;
    #maxQueuedTotalBytes;
    #spinMs;
    #connections;
    /** Handlers being run, one inside the other. */
    #depth = 0;
    #dirty = [];
    /** Flushed ones that may have something to hear from `settle`. */
    #flushed = [];
    #spare = [];
    #dead = [];
    #queuedTotalBytes = 0;
    #microtaskQueued = false;
    #taskQueued = false;
    #spinUntilMs = 0;
    #isSpinning = false;
    #onMicrotask = () => this.#microtask();
    #onTask = () => this.#task();
    #onSpin = () => this.#spin();
    constructor(runtime, limits, spinMs, connections) {
        this.arena = new SendArena(Math.min(limits.sendArenaBytes, MAX_ARENA_BYTES));
        this.maxQueuedBytes = limits.maxQueuedBytes;
        this.#maxQueuedTotalBytes = limits.maxQueuedTotalBytes;
        this.#runtime = runtime;
        this.#spinMs = spinMs;
        this.#connections = connections;
    }
    // ── ConnectionHost ───────────────────────────────────────────────────────────────────────────
    makeRoom(sizeBytes) {
        if (!this.arena.grow(sizeBytes))
            this.#flushDirty();
    }
    touch(connection) {
        if (connection.isDirty)
            return;
        connection.isDirty = true;
        this.#dirty.push(connection);
        if (this.#depth === 0)
            this.#askMicrotask();
    }
    enter() {
        this.#depth++;
    }
    leave() {
        if (this.#depth > 1) {
            this.#depth--;
            return;
        }
        this.#settle();
        this.#depth = 0;
        this.count++;
        if (this.#spinMs > 0)
            this.#keepSpinning();
    }
    stands(socket) {
        const tls = socket.tls();
        if (tls === undefined)
            return;
        this.handshakes++;
        if (tls.resumed)
            this.resumptions++;
    }
    threw(error) {
        this.#runtime.defer(() => {
            throw error;
        });
    }
    queuedChanged(differenceBytes) {
        this.#queuedTotalBytes += differenceBytes;
        return differenceBytes <= 0 || this.#queuedTotalBytes <= this.#maxQueuedTotalBytes;
    }
    shortSend() {
        this.shortSends++;
    }
    linger(callback) {
        return this.#runtime.setTimer(callback, LINGER_MS);
    }
    died(connection) {
        this.#connections.delete(connection);
        this.#dead.push(connection);
        this.#askMicrotask();
    }
    // ── for the transport ────────────────────────────────────────────────────────────────────────
    flush() {
        this.#flushDirty();
        if (this.#depth === 0 && this.#flushed.length > 0)
            this.#askMicrotask();
    }
    /** Delivers every `closed` now. */
    close() {
        this.#deliverClosed();
        this.#dirty.length = 0;
        this.#flushed.length = 0;
        this.#spinUntilMs = 0;
    }
    // ── inside ───────────────────────────────────────────────────────────────────────────────────
    #askMicrotask() {
        if (this.#microtaskQueued)
            return;
        this.#microtaskQueued = true;
        queueMicrotask(this.#onMicrotask);
    }
    #microtask() {
        this.#microtaskQueued = false;
        this.#deliverClosed();
        this.enter();
        this.leave();
    }
    #task() {
        this.#taskQueued = false;
        this.enter();
        this.leave();
    }
    #deliverClosed() {
        while (this.#dead.length > 0) {
            for (const connection of this.#dead.splice(0))
                connection.deliverClosed();
        }
    }
    #flushDirty() {
        const dirty = this.#dirty;
        // A flush can touch nobody else, but its own connection may die; both leave this list alone.
        for (const connection of dirty) {
            connection.flush();
            this.#flushed.push(connection);
        }
        dirty.length = 0;
        this.arena.rewind();
    }
    /**
     * The end of a turn: flushes, calls `drained` where the queue is shorter, flushes what that has sent. Who
     * still wants to hear more then waits for a task, or a sender that goes on in `drained` would starve the rest.
     */
    #settle() {
        if (this.#dirty.length > 0)
            this.#flushDirty();
        if (this.#flushed.length === 0)
            return;
        const flushed = this.#flushed;
        this.#flushed = this.#spare;
        this.#spare = flushed;
        for (const connection of flushed)
            connection.settle();
        flushed.length = 0;
        if (this.#dirty.length > 0)
            this.#flushDirty();
        if (this.#flushed.length > 0 && !this.#taskQueued) {
            this.#taskQueued = true;
            this.#runtime.defer(this.#onTask);
        }
    }
    /** Keeps the runtime's loop from sleeping for a while after the last turn. */
    #keepSpinning() {
        this.#spinUntilMs = this.#runtime.nowMs() + this.#spinMs;
        if (this.#isSpinning)
            return;
        this.#isSpinning = true;
        this.#runtime.defer(this.#onSpin);
    }
    #spin() {
        this.#isSpinning = this.#runtime.nowMs() < this.#spinUntilMs;
        if (this.#isSpinning)
            this.#runtime.defer(this.#onSpin);
    }
}
