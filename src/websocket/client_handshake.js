/**
 * One opening handshake of a client: has an address dialled, asks for the upgrade, checks the answer (RFC 6455 §4.1), and gives the
 * connection to a session. Speaks in callbacks: the thread of a `run` loop never comes to a promise.
 */
import { RingwireError } from "../errors.js";
import { writeHead } from "../http/connection_writer.js";
import { HeadParser } from "../protocol/http_head.js";
import { acceptInput } from "../protocol/upgrade.js";
import { checkUpgradeResponse } from "../protocol/upgrade_request.js";
import { withoutUser } from "../protocol/url.js";
import { Dialer } from "../stream/dialer.js";
import { CallbackTimer } from "../timer_wheel.js";
import { Session } from "./session.js";
/** See the top of this file. */
export class ClientHandshake {
    #engine;
    #settings;
    #plan;
    #opener;
    #dialer;
    #parser;
    #deadline;
    #aborted = () => this.#fail(new RingwireError("ERR_ABORTED", `Connecting to ${withoutUser(this.#plan.url)} was aborted`, {
        cause: this.#plan.signal?.reason,
    }));
    #connection = undefined;
    #isDone = false;
    #beganMs = 0;
    constructor(engine, settings, plan, opener) {
        this.#engine = engine;
        this.#settings = settings;
        this.#plan = plan;
        this.#opener = opener;
        this.#dialer = new Dialer(engine, plan, this);
        this.#parser = new HeadParser("response", { maxBytes: plan.maxHeaderBytes, maxHeaders: plan.maxHeaders });
        this.#deadline = new CallbackTimer(() => this.#timedOut());
    }
    /** Begins. */
    start() {
        const { signal } = this.#plan;
        this.#beganMs = this.#engine.runtime.nowMs();
        if (signal?.aborted === true) {
            this.#aborted();
            return;
        }
        signal?.addEventListener("abort", this.#aborted);
        this.#dialer.start();
    }
    /** Gives up on everything. The opener hears nothing more. */
    giveUp() {
        if (this.#isDone)
            return;
        this.#finish();
        this.#dialer.giveUp();
        this.#connection?.abort();
    }
    // ── from the dialer ──────────────────────────────────────────────────────────────────────────
    connected(connection) {
        const { request, handshakeTimeoutMs } = this.#plan;
        this.#connection = connection;
        this.#engine.wheel.schedule(this.#deadline, this.#engine.runtime.nowMs(), handshakeTimeoutMs);
        writeHead(connection, request);
        return this;
    }
    failed(error) {
        this.#fail(error);
    }
    // ── from the transport ───────────────────────────────────────────────────────────────────────
    opened() { }
    received(bytes, start, end) {
        if (this.#isDone)
            return;
        try {
            const next = this.#parser.feed(bytes, start, end);
            if (next >= 0)
                this.#answered(this.#connection, bytes, next, end);
        }
        catch (error) {
            if (!(error instanceof RingwireError))
                throw error;
            this.#fail(error);
        }
    }
    ended() {
        this.#connection?.close();
        this.#connection = undefined;
        this.closed(undefined);
    }
    drained() { }
    closed(error) {
        this.#fail(error ??
            new RingwireError("ERR_CONNECTION_CLOSED", "Cannot open the WebSocket: the server hung up during the handshake"));
    }
    // ── inside ───────────────────────────────────────────────────────────────────────────────────
    /** The answer's head is complete. */
    #answered(connection, bytes, start, end) {
        const plan = this.#plan;
        const engine = this.#engine;
        const accept = engine.runtime.sha1Base64(acceptInput(plan.key));
        const { protocol, deflate } = checkUpgradeResponse(this.#parser, {
            accept,
            protocols: plan.protocols,
            deflate: this.#settings.compression,
        });
        this.#finish();
        engine.metrics.took(engine.runtime.nowMs() - this.#beganMs);
        const session = new Session(engine, connection, this.#settings, { url: plan.url, protocol, extensions: deflate?.text ?? "" }, deflate, plan.data, () => undefined);
        connection.handler = session;
        this.#opener.opened(session);
        session.opened();
        if (start < end)
            session.received(bytes, start, end);
    }
    #fail(error) {
        if (this.#isDone)
            return;
        this.giveUp();
        if (error instanceof RingwireError)
            this.#tellFailed(error);
        this.#opener.failed(error);
    }
    #tellFailed(error) {
        const { metrics, diagnostics } = this.#engine;
        metrics.connectionsFailed++;
        metrics.failed(error);
        if (diagnostics.wants("handshake:fail")) {
            diagnostics.publish("handshake:fail", { url: this.#plan.url, error });
        }
    }
    #finish() {
        this.#isDone = true;
        this.#engine.wheel.cancel(this.#deadline);
        this.#plan.signal?.removeEventListener("abort", this.#aborted);
    }
    #timedOut() {
        const { url, handshakeTimeoutMs } = this.#plan;
        this.#fail(new RingwireError("ERR_HANDSHAKE_TIMEOUT", `Cannot open ${withoutUser(url)}: the server did not answer the handshake within ${handshakeTimeoutMs} ms`));
    }
}
