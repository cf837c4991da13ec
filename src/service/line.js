/** One open connection of an endpoint, with what is watched on it and what it ended of. */
import { handlerError } from "../websocket/session.js";
import { kindOfEnd } from "./disconnect_reason.js";
import { LineWatch } from "./line_watch.js";
/** See the top of this file. */
export class Line {
    session;
    openedMs;
    /** Since when messages may be missing; undefined while it is open. */
    lostSinceMs = undefined;
    #engine;
    #owner;
    #url;
    #watch;
    #hasBeaten = false;
    /** Why the endpoint itself has ended it, if it has. */
    #ending = undefined;
    /** @param url - Without user and password. */
    constructor(engine, owner, session, url) {
        const nowMs = () => engine.runtime.nowMs();
        this.#engine = engine;
        this.#owner = owner;
        this.session = session;
        this.#url = url;
        this.openedMs = nowMs();
        const { staleMs, heartbeatMs, ttlMs } = owner.plan;
        this.#watch = new LineWatch(engine.wheel, nowMs, { staleMs, heartbeatMs, ttlMs }, session, this);
        this.#watch.start();
        session.whenFailing = (error) => this.#failing(error);
        session.whenClosed(() => this.#closed());
    }
    /** Whether something can be sent. */
    get isOpen() {
        return this.session.state === "open";
    }
    /** Whether the endpoint has ended it because its time was over. */
    get hasExpired() {
        return this.#ending === "ttl";
    }
    /** Closes it with the closing handshake. */
    close(ending) {
        if (this.isOpen)
            this.#ending ??= ending;
        this.session.close(1000, "");
    }
    /** Drops it: its peer is not to be waited for. */
    drop(ending) {
        if (this.isOpen)
            this.#ending ??= ending;
        this.session.terminate();
    }
    /** Why it ended. */
    reason() {
        const { session } = this;
        return {
            kind: this.#ending ?? kindOfEnd(session),
            error: session.failure,
            close: session.closeInfo,
            openMs: this.#engine.runtime.nowMs() - this.openedMs,
            url: this.#url,
        };
    }
    // ── from the watch ───────────────────────────────────────────────────────────────────────────
    isStale(sinceMs) {
        this.lostSinceMs = sinceMs;
        this.drop("stale");
    }
    beat() {
        const { heartbeat, context } = this.#owner;
        const { socket } = this.session;
        if (heartbeat === undefined || !this.isOpen)
            return;
        try {
            const isAlive = !this.#hasBeaten || heartbeat.isAlive?.(socket, context) !== false;
            if (!isAlive) {
                this.drop("heartbeat");
                return;
            }
            this.#hasBeaten = true;
            const result = heartbeat.send(socket, context);
            if (result instanceof Promise)
                result.catch((thrown) => this.session.fail(handlerError(thrown)));
        }
        catch (thrown) {
            this.session.fail(handlerError(thrown));
        }
    }
    isDue() {
        return this.#owner.ttlOver(this);
    }
    // ── inside ───────────────────────────────────────────────────────────────────────────────────
    /** A successor need not wait until the peer has closed too: it gets our Close frame, unless it is silent, and that is all. */
    #failing({ code }) {
        this.lostSinceMs ??= this.#engine.runtime.nowMs();
        if (code === "ERR_PONG_TIMEOUT" || code === "ERR_IDLE_TIMEOUT")
            this.session.terminate();
        else
            this.session.connection.close();
    }
    #closed() {
        this.#watch.stop();
        this.lostSinceMs ??= this.#engine.runtime.nowMs();
        this.#owner.ended(this);
    }
}
