/** Puts a recorder between a loop's transport and whoever connects or listens through it. */
import { withoutUser } from "../protocol/url.js";
import { RecordedConnection } from "./recorded_connection.js";
import { Recorder, shareRecorder, writerOf } from "./recorder.js";
/**
 * An engine like the given one, but whose connections are recorded; the same engine when nothing is asked for.
 *
 * @param record - The option `record`: a recorder, or the path of a file.
 * @param url - What clients connect to.
 * @throws TypeError for anything else.
 */
export function recordedEngine(engine, record, url) {
    if (record === undefined)
        return engine;
    if (typeof record !== "string" && !(record instanceof Recorder)) {
        throw new TypeError(`Option "record" must be a Recorder or a path, not ${typeof record}`);
    }
    return { ...engine, transport: new RecordedTransport(engine, record, url && withoutUser(url)) };
}
/** A transport that records what it connects and accepts. */
class RecordedTransport {
    #engine;
    #inner;
    #record;
    #url;
    constructor(engine, record, url) {
        this.#engine = engine;
        this.#inner = engine.transport;
        this.#record = record;
        this.#url = url;
    }
    get kind() {
        return this.#inner.kind;
    }
    get reason() {
        return this.#inner.reason;
    }
    get kernels() {
        return this.#inner.kernels;
    }
    get codec() {
        return this.#inner.codec;
    }
    get canPoll() {
        return this.#inner.canPoll;
    }
    async listen(endpoint, handler) {
        // Held while it listens, so that a file named by its path stays open between two connections.
        const { release } = this.#session();
        try {
            const listener = await this.#inner.listen(endpoint, {
                accepted: (connection) => this.#accepted(connection, handler),
                failed: (error) => handler.failed(error),
            });
            return new RecordedListener(listener, release);
        }
        catch (error) {
            release();
            throw error;
        }
    }
    connect(endpoint, handler) {
        const session = this.#session();
        const recorded = new RecordedConnection(session, handler);
        try {
            recorded.inner = this.#inner.connect(endpoint, recorded);
        }
        catch (error) {
            session.release();
            throw error;
        }
        return recorded;
    }
    flush() {
        this.#inner.flush();
    }
    poll(waitUs) {
        return this.#inner.poll(waitUs);
    }
    stats() {
        return this.#inner.stats();
    }
    close() {
        this.#inner.close();
    }
    #accepted(connection, handler) {
        const recorded = new RecordedConnection(this.#session(), NOBODY);
        recorded.inner = connection;
        recorded.begin("server");
        recorded.handler = handler.accepted(recorded);
        return recorded;
    }
    #session() {
        const { runtime, soon } = this.#engine;
        const record = this.#record;
        const shared = typeof record === "string"
            ? shareRecorder(record)
            : { writer: writerOf(record), release: () => { } };
        return { ...shared, url: this.#url, nowNs: () => Math.round(runtime.nowMs() * 1e6), soon };
    }
}
/** Lets go of the recorder when it stops listening. */
class RecordedListener {
    #inner;
    #release;
    #isClosed = false;
    constructor(inner, release) {
        this.#inner = inner;
        this.#release = release;
    }
    get address() {
        return this.#inner.address;
    }
    close() {
        this.#inner.close();
        if (this.#isClosed)
            return;
        this.#isClosed = true;
        this.#release();
    }
    updateTls(settings) {
        this.#inner.updateTls(settings);
    }
}
/** Until `accepted` has said who handles the connection. */
const NOBODY = {
    opened() { },
    received() { },
    ended() { },
    drained() { },
    closed() { },
};
