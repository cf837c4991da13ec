/** A connection that is recorded: stands between the transport's connection and its handler, and passes everything on. */
import { KIND_END } from "./record_format.js";
/** See the top of this file. */
export class RecordedConnection {
    handler;
    /** The transport's; set by whoever makes both. */
    inner = undefined;
    #session;
    #nowNs;
    #endRun;
    #tap = undefined;
    #reservedAt = 0;
    #isClosed = false;
    constructor(session, handler) {
        this.handler = handler;
        this.#session = session;
        this.#nowNs = () => session.nowNs();
        this.#endRun = () => session.writer.endRun();
    }
    get #connection() {
        return this.inner;
    }
    // ── Connection ───────────────────────────────────────────────────────────────────────────────
    get queuedBytes() {
        return this.#connection.queuedBytes;
    }
    get out() {
        return this.#connection.out;
    }
    get maxReserveBytes() {
        return this.#connection.maxReserveBytes;
    }
    reserve(sizeBytes) {
        this.#reservedAt = this.#connection.reserve(sizeBytes);
        return this.#reservedAt;
    }
    commit(end) {
        const connection = this.#connection;
        const out = connection.out;
        connection.commit(end);
        if (this.#tap === undefined || this.#isClosed || end === this.#reservedAt)
            return;
        const { writer } = this.#session;
        if (writer.sent(this.#tap, this.#nowNs, out, this.#reservedAt, end))
            this.#session.soon(this.#endRun);
    }
    pause() {
        this.#connection.pause();
    }
    resume() {
        this.#connection.resume();
    }
    end() {
        this.#connection.end();
    }
    close() {
        this.#connection.close();
    }
    abort() {
        this.#connection.abort();
    }
    remoteAddress() {
        return this.#connection.remoteAddress();
    }
    localAddress() {
        return this.#connection.localAddress();
    }
    tls() {
        return this.#connection.tls();
    }
    // ── ConnectionHandler ────────────────────────────────────────────────────────────────────────
    opened() {
        this.begin("client");
        this.handler.opened();
    }
    received(bytes, start, end) {
        // First: the handler may unmask in place.
        if (this.#tap !== undefined)
            this.#session.writer.received(this.#tap, this.#nowNs(), bytes, start, end);
        this.handler.received(bytes, start, end);
    }
    ended() {
        if (this.#tap !== undefined)
            this.#session.writer.note(this.#tap, KIND_END, this.#nowNs());
        this.handler.ended();
    }
    drained() {
        this.handler.drained();
    }
    closed(error) {
        this.#isClosed = true;
        if (this.#tap !== undefined)
            this.#session.writer.closed(this.#tap, this.#nowNs(), error);
        this.#session.release();
        this.handler.closed(error);
    }
    /** The connection stands: from now on it is recorded. */
    begin(role) {
        const { url, writer } = this.#session;
        const remote = this.remoteAddress();
        const local = this.localAddress();
        const tls = this.tls()?.version;
        const facts = {
            role,
            ...(url === undefined ? {} : { url }),
            ...(remote === undefined ? {} : { remote }),
            ...(local === undefined ? {} : { local }),
            ...(tls === undefined ? {} : { tls }),
        };
        this.#tap = writer.open(facts, this.#nowNs());
    }
}
