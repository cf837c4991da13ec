/** One open stream from the inside: the transport's callbacks go in, handlers are called, the end is seen through. */
import { RingwireError } from "../errors.js";
import { CallbackTimer } from "../timer_wheel.js";
import { ChunkQueue } from "./chunk_queue.js";
import { Stream } from "./stream.js";
import { StreamWriter } from "./stream_writer.js";
const encoder = new TextEncoder();
/** Silence may be found so much later than it began, as a share of `idleTimeoutMs`. */
const CHECKS_PER_INTERVAL = 8;
/** See the top of this file. */
export class StreamSession {
    stream;
    connection;
    settings;
    writer;
    gone;
    state = "open";
    /** What broke the connection, if anything did. */
    failure = undefined;
    #engine;
    #closeDeadline;
    #idleCheck;
    #resolveGone = () => undefined;
    /** Received and not taken: for `for await`, and what was in hand when the program paused. */
    #unread = new ChunkQueue();
    #readers = [];
    #isPaused = false;
    #isFull = false;
    /** The peer has sent all it will. */
    #hasEnded = false;
    /** That was told. */
    #isEndTold = false;
    /** Nothing can be written any more. */
    #isFinished = false;
    #isGone = false;
    #isActive = false;
    #silentSinceMs = 0;
    constructor(engine, connection, settings, url, data) {
        this.#engine = engine;
        this.connection = connection;
        this.settings = settings;
        this.writer = new StreamWriter(engine.transport, connection, settings, () => this.#overflowed());
        this.gone = new Promise((resolve) => {
            this.#resolveGone = resolve;
        });
        this.#closeDeadline = new CallbackTimer(() => this.#closeTimedOut());
        this.#idleCheck = new CallbackTimer(() => this.#checkIdle());
        this.stream = new Stream(this, url, data);
    }
    // ── from the transport ───────────────────────────────────────────────────────────────────────
    /** The connection stands: said by who dialled it. */
    opened() {
        this.#silentSinceMs = this.#engine.runtime.nowMs();
        this.#scheduleIdleCheck();
        this.#call(() => this.settings.handlers.open?.(this.stream));
    }
    received(bytes, start, end) {
        this.#isActive = true;
        if (this.state !== "open")
            return;
        const { handlers, zeroCopy } = this.settings;
        if (handlers.data === undefined || this.#isPaused || this.#unread.count > 0) {
            this.#hold(bytes.slice(start, end));
        }
        else {
            this.#deliver(zeroCopy ? bytes.subarray(start, end) : bytes.slice(start, end));
        }
    }
    ended() {
        this.#hasEnded = true;
        if (this.#unread.count === 0 && !this.#isPaused)
            this.#tellEnd();
    }
    drained() {
        if (this.writer.shrank())
            this.#call(() => this.settings.handlers.drain?.(this.stream));
    }
    closed(error) {
        this.#isGone = true;
        this.#isFinished = true;
        this.failure ??= error;
        if (this.state === "open")
            this.state = "closing";
        for (const timer of [this.#closeDeadline, this.#idleCheck])
            this.#engine.wheel.cancel(timer);
        this.writer.close();
        this.#finishIfDelivered();
    }
    // ── from the stream ──────────────────────────────────────────────────────────────────────────
    write(data) {
        const bytes = toBytes(data);
        return this.#isFinished || this.state !== "open" ? "dropped" : this.writer.write(bytes);
    }
    pause() {
        this.#isPaused = true;
        this.#applyReceiving();
    }
    resume() {
        if (!this.#isPaused)
            return;
        this.#isPaused = false;
        this.#applyReceiving();
        // Not now: no handler runs inside a call of the program.
        this.#engine.soon(() => this.#deliverHeld());
    }
    /** The next bytes for an iteration; undefined when there will be none. */
    read() {
        return new Promise((resolve) => {
            this.#readers.push(resolve);
            this.#serveReaders();
        });
    }
    end() {
        if (this.#isFinished)
            return;
        this.#isFinished = true;
        this.connection.end();
    }
    close() {
        if (this.state !== "open")
            return;
        this.state = "closing";
        this.#isFinished = true;
        this.#discard();
        this.connection.close();
        this.#engine.wheel.schedule(this.#closeDeadline, this.#engine.runtime.nowMs(), this.settings.closeTimeoutMs);
        if (this.#isGone)
            this.#finishIfDelivered();
    }
    terminate() {
        if (this.state === "closed")
            return;
        this.state = "closing";
        this.#isFinished = true;
        this.#discard();
        this.connection.abort();
        if (this.#isGone)
            this.#finishIfDelivered();
    }
    // ── receiving ────────────────────────────────────────────────────────────────────────────────
    #deliver(bytes) {
        this.#call(() => this.settings.handlers.data?.(this.stream, bytes));
    }
    #hold(bytes) {
        this.#unread.push(bytes);
        this.#serveReaders();
        if (this.#unread.heldBytes < this.settings.maxUnreadBytes || this.#isFull)
            return;
        this.#isFull = true;
        this.#applyReceiving();
    }
    #take() {
        const bytes = this.#unread.shift();
        if (this.#isFull && this.#unread.heldBytes <= this.settings.maxUnreadBytes / 2) {
            this.#isFull = false;
            this.#applyReceiving();
        }
        return bytes;
    }
    #serveReaders() {
        while (this.#readers.length > 0 && !this.#isPaused) {
            const isOver = this.#hasEnded || this.#isGone || this.state !== "open";
            if (this.#unread.count === 0 && !isOver)
                return;
            this.#readers.shift()?.(this.#take());
            if (this.#unread.count === 0)
                this.#emptied();
        }
    }
    #deliverHeld() {
        if (this.settings.handlers.data === undefined)
            this.#serveReaders();
        else
            this.#deliverToHandler();
        if (this.#unread.count === 0 && !this.#isPaused)
            this.#emptied();
    }
    #emptied() {
        if (this.#hasEnded)
            this.#tellEnd();
        if (this.#isGone)
            this.#finishIfDelivered();
    }
    #tellEnd() {
        if (this.#isEndTold)
            return;
        this.#isEndTold = true;
        this.#serveReaders();
        const { end } = this.settings.handlers;
        if (this.#isGone || this.state !== "open")
            return;
        if (end === undefined)
            this.close();
        else
            this.#call(() => end(this.stream));
    }
    #discard() {
        this.#unread.clear();
        this.#isPaused = false;
        this.#isFull = false;
        this.#applyReceiving();
        this.#serveReaders();
    }
    #applyReceiving() {
        if (this.#isPaused || this.#isFull)
            this.connection.pause();
        else
            this.connection.resume();
    }
    // ── endings ──────────────────────────────────────────────────────────────────────────────────
    /** The last step. A program that has paused gets what came before the end first, once it resumes; iterations keep what they have not taken. */
    #finishIfDelivered() {
        if (this.settings.handlers.data === undefined)
            this.#serveReaders();
        else {
            this.#deliverToHandler();
            if (this.#unread.count > 0)
                return;
        }
        if (this.state === "closed")
            return;
        this.state = "closed";
        if (this.failure !== undefined)
            this.#report(this.failure);
        const { close } = this.settings.handlers;
        try {
            const result = close?.(this.stream, this.failure);
            if (result instanceof Promise)
                result.catch((thrown) => console.error(handlerError(thrown)));
        }
        catch (thrown) {
            console.error(handlerError(thrown));
        }
        this.#resolveGone();
    }
    #deliverToHandler() {
        while (!this.#isPaused && this.#unread.count > 0)
            this.#deliver(this.#take());
    }
    #fail(error) {
        if (this.failure !== undefined || this.state === "closed")
            return;
        this.failure = error;
        this.terminate();
    }
    #overflowed() {
        this.#fail(new RingwireError("ERR_BACKPRESSURE", 'The peer does not read and the queue is full (whenFull: "close")'));
    }
    #closeTimedOut() {
        this.failure ??= new RingwireError("ERR_CLOSE_TIMEOUT", "The peer did not take what was written within closeTimeoutMs");
        this.connection.abort();
    }
    #scheduleIdleCheck() {
        const { idleTimeoutMs } = this.settings;
        if (idleTimeoutMs === 0)
            return;
        const delayMs = idleTimeoutMs / CHECKS_PER_INTERVAL;
        this.#engine.wheel.schedule(this.#idleCheck, this.#engine.runtime.nowMs(), delayMs);
    }
    #checkIdle() {
        const nowMs = this.#engine.runtime.nowMs();
        const isReceiving = !this.#isPaused && !this.#isFull && !this.#hasEnded;
        if (this.#isActive || !isReceiving) {
            this.#isActive = false;
            this.#silentSinceMs = nowMs;
        }
        if (nowMs - this.#silentSinceMs < this.settings.idleTimeoutMs)
            this.#scheduleIdleCheck();
        else
            this.#fail(new RingwireError("ERR_IDLE_TIMEOUT", "The peer was silent for longer than idleTimeoutMs"));
    }
    // ── handlers ─────────────────────────────────────────────────────────────────────────────────
    #call(handler) {
        try {
            const result = handler();
            if (result instanceof Promise)
                result.catch((thrown) => this.#handlerThrew(thrown));
        }
        catch (thrown) {
            this.#handlerThrew(thrown);
        }
    }
    #handlerThrew(thrown) {
        const error = handlerError(thrown);
        if (this.failure === undefined && !this.#isGone)
            this.#fail(error);
        else
            console.error(error);
    }
    /** A program without an `error` handler still learns of its own bugs, on the console; a peer's faults show in `close`. */
    #report(error) {
        const handler = this.settings.handlers.error;
        if (handler === undefined) {
            if (error.code === "ERR_HANDLER")
                console.error(error);
            return;
        }
        try {
            const result = handler(this.stream, error);
            if (result instanceof Promise)
                result.catch((thrown) => console.error(handlerError(thrown)));
        }
        catch (thrown) {
            console.error(handlerError(thrown));
        }
    }
}
/** The bytes of what a program writes. @throws TypeError for anything that has none. */
function toBytes(data) {
    if (typeof data === "string")
        return encoder.encode(data);
    if (data instanceof Uint8Array)
        return data;
    if (ArrayBuffer.isView(data))
        return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    if (data instanceof ArrayBuffer)
        return new Uint8Array(data);
    throw new TypeError(`Cannot write ${data === null ? "null" : typeof data}: give a string, an ArrayBuffer or a view of one`);
}
function handlerError(thrown) {
    const text = thrown instanceof Error ? thrown.message : String(thrown);
    return new RingwireError("ERR_HANDLER", `A stream handler threw: ${text}`, { cause: thrown });
}
