/**
 * A server from the inside: what it does with connections, requests and upgrades. `Server` is its face.
 */
import { HttpSession } from "../http/http_session.js";
import { badRequest } from "../protocol/http_request.js";
import { answerOffers } from "../protocol/permessage_deflate.js";
import { acceptInput, readUpgrade, writeUpgradeResponse } from "../protocol/upgrade.js";
import { CallbackTimer } from "../timer_wheel.js";
import { readServerTls } from "../tls_options.js";
import { ConnectionLimiter } from "./connection_limit.js";
import { Session } from "./session.js";
const TOO_MANY = {
    status: 503,
    reason: "The server has as many connections as it takes",
    headers: [["retry-after", "1"]],
};
const STOPPING = { status: 503, reason: "The server is stopping", headers: [] };
const UPGRADE_REQUIRED = {
    status: 426,
    reason: "This server speaks WebSocket",
    headers: [
        ["upgrade", "websocket"],
        ["sec-websocket-version", "13"],
    ],
};
/** Any peer can make accepting fail, by connecting: the console gets one line in this time. */
const COMPLAINT_MS = 1_000;
/** What a client can bring about in its TLS handshake; all else is our system's trouble. */
const CLIENTS_FAULTS = /^ERR_(TLS|CONNECTION)_/;
const FORBIDDEN_METHODS = new Set(["CONNECT", "TRACE", "TRACK"]);
/** See the top of this file. */
export class ServerHost {
    limits;
    sockets = new Set();
    /** The face that `fetch` gets; set right after both are made. */
    server = undefined;
    #engine;
    #options;
    #settings;
    #maxConnections;
    #requiredHeaders;
    /** Undefined: connections may come as fast as they like. */
    #limiter;
    #origins;
    #https = new Set();
    #pending = new WeakMap();
    /** As given at last; undefined: no TLS. */
    #tlsOptions;
    #listener = undefined;
    #complainedMs = -Infinity;
    /** Failures since the last line on the console. */
    #unreported = 0;
    #stopping = undefined;
    #stopped = undefined;
    constructor(engine, options, settings, limits, maxConnections, connectionLimit) {
        this.#engine = { ...engine, metrics: engine.metrics.part() };
        this.#options = options;
        this.#settings = settings;
        this.limits = limits;
        this.#maxConnections = maxConnections;
        this.#requiredHeaders = options.requiredHeaders ?? [];
        this.#limiter = connectionLimit && new ConnectionLimiter(connectionLimit, this.#engine);
        this.#origins = options.origins === undefined ? undefined : new Set(options.origins);
        this.#tlsOptions = options.tls;
    }
    /** What its WebSockets have done. */
    get metrics() {
        return this.#engine.metrics;
    }
    /** Whether it speaks TLS. */
    get isSecure() {
        return this.#tlsOptions !== undefined;
    }
    /** @throws RingwireError when the system refuses. */
    async listen(endpoint) {
        const { transport, metrics, diagnostics } = this.#engine;
        try {
            this.#listener = await transport.listen(endpoint, this);
        }
        catch (error) {
            metrics.fold();
            throw error;
        }
        if (diagnostics.wants("server:listen"))
            diagnostics.publish("server:listen", { address: this.address });
    }
    get address() {
        return this.#listener.address;
    }
    // ── from the listener ────────────────────────────────────────────────────────────────────────
    accepted(connection) {
        const session = new HttpSession(this.#engine, connection, this);
        const count = this.#https.size + this.sockets.size;
        this.#https.add(session);
        const refusal = this.#limiter?.refusal(() => connection.remoteAddress());
        if (refusal !== undefined && count < this.#maxConnections * 2)
            session.refuse(refusal);
        else if (count >= this.#maxConnections || this.#stopping !== undefined) {
            // Saying so takes a descriptor for a while: past twice the limit there is no more politeness.
            if (count >= this.#maxConnections * 2)
                connection.abort();
            else
                session.refuse(this.#stopping === undefined ? TOO_MANY : STOPPING);
        }
        return session;
    }
    failed(error) {
        this.#engine.metrics.connectionsFailed++;
        this.#engine.metrics.failed(error);
        // With TLS a client can leave in the middle of its handshake too, or be reset there.
        if (this.isSecure && CLIENTS_FAULTS.test(error.code)) {
            this.#tlsFailed(error);
            return;
        }
        const nowMs = this.#engine.runtime.nowMs();
        if (nowMs - this.#complainedMs < COMPLAINT_MS) {
            this.#unreported++;
            return;
        }
        const more = this.#unreported === 0 ? "" : ` (and ${this.#unreported} more since the last such line)`;
        this.#complainedMs = nowMs;
        this.#unreported = 0;
        console.error(`${error.message}${more}`);
    }
    // ── from the HTTP sessions ───────────────────────────────────────────────────────────────────
    requested(session, head, body) {
        const upgrade = readUpgrade(head);
        const refusal = upgrade?.kind === "refusal" ? upgrade : upgrade && this.#refusalOf(head, upgrade);
        if (refusal !== undefined) {
            session.refuse(refusal);
            return;
        }
        const pending = { session, head, upgrade: upgrade };
        if (this.#options.fetch !== undefined)
            this.#fetch(this.#options.fetch, pending, body);
        else if (!this.#accept(pending, {}))
            session.refuse(UPGRADE_REQUIRED);
    }
    released(session) {
        this.#https.delete(session);
        this.#checkStopped();
    }
    // ── from the server ──────────────────────────────────────────────────────────────────────────
    upgrade(request, options) {
        const pending = this.#pending.get(request);
        if (pending === undefined) {
            throw new TypeError("Cannot upgrade: the request is not one that this server's fetch was given");
        }
        return this.#accept(pending, options);
    }
    remoteAddress(request) {
        return this.#pending.get(request)?.session.connection.remoteAddress();
    }
    tls(request) {
        return this.#pending.get(request)?.session.connection.tls();
    }
    updateTls(given) {
        const before = this.#tlsOptions;
        if (before === undefined)
            throw new TypeError("Cannot update TLS: this server has none");
        const options = { ...before, ...given };
        const { environment } = this.#engine.runtime;
        const settings = readServerTls(options, environment);
        if (settings.handshakeTimeoutMs !== readServerTls(before, environment).handshakeTimeoutMs) {
            throw new TypeError(`Cannot update TLS: "handshakeTimeoutMs" stays as it was when the server began`);
        }
        this.#listener.updateTls(settings);
        this.#tlsOptions = options;
    }
    stop(graceMs) {
        if (this.#stopping !== undefined)
            return this.#stopping;
        this.#stopping = new Promise((resolve) => {
            this.#stopped = resolve;
        });
        this.#tellStop();
        this.#listener?.close();
        for (const session of this.#https)
            session.finish();
        for (const session of this.sockets)
            session.close(1001, "the server stops");
        const deadline = new CallbackTimer(() => this.#abortAll());
        this.#engine.wheel.schedule(deadline, this.#engine.runtime.nowMs(), graceMs);
        this.#checkStopped();
        return this.#stopping.finally(() => {
            this.#engine.wheel.cancel(deadline);
            this.#engine.metrics.fold();
        });
    }
    // ── inside ───────────────────────────────────────────────────────────────────────────────────
    #refusalOf(head, upgrade) {
        const missing = this.#requiredHeaders.find((name) => !head.headers.has(name));
        if (missing !== undefined)
            return badRequest(`The header ${missing} is missing`);
        const origin = head.headers.get("origin");
        if (origin !== undefined && this.#origins !== undefined && !this.#origins.has(origin)) {
            return { status: 403, reason: "Connections from this origin are not allowed", headers: [] };
        }
        if (upgrade.protocols.length > 0 &&
            this.#options.protocols !== undefined &&
            this.#choose(upgrade) === "") {
            return badRequest(`No subprotocol in common; this server speaks ${this.#options.protocols.join(", ")}`);
        }
        return undefined;
    }
    /** The client's first choice that the server speaks too. */
    #choose(upgrade) {
        const ours = this.#options.protocols ?? [];
        return upgrade.protocols.find((protocol) => ours.includes(protocol) || ours.includes("*")) ?? "";
    }
    /** Switches protocols. Returns false when the request asks for no WebSocket or the peer is gone. */
    #accept(pending, options) {
        const { session: http, head, upgrade } = pending;
        if (upgrade === undefined || !http.canSwitch)
            return false;
        if (this.#stopping !== undefined) {
            http.refuse(STOPPING);
            return true;
        }
        const protocol = options.protocol ?? this.#choose(upgrade);
        if (protocol !== "" && !upgrade.protocols.includes(protocol)) {
            http.refuse(badRequest(`This server speaks subprotocol ${protocol}, which the client does not offer`));
            return true;
        }
        const { compression } = this.#settings;
        const deflate = compression && answerOffers(upgrade.extensions, compression);
        const extensions = deflate?.text ?? "";
        const answer = writeUpgradeResponse({
            accept: this.#engine.runtime.sha1Base64(acceptInput(upgrade.key)),
            protocol,
            extensions,
            headers: entriesOf(options.headers ?? []),
        });
        // A Host may be empty; a target in absolute form says itself which host is meant (RFC 9112 §3.2.2).
        const url = head.target.startsWith("/")
            ? `${this.isSecure ? "wss" : "ws"}://${head.headers.get("host") || "localhost"}${head.target}`
            : `ws${head.target.slice("http".length)}`;
        const session = new Session(this.#engine, http.connection, this.#settings, { url, protocol, extensions }, deflate, options.data, (gone) => {
            this.sockets.delete(gone);
            this.#checkStopped();
        });
        this.sockets.add(session);
        const early = http.takeOver(answer, session);
        session.opened();
        if (early.length > 0)
            session.received(early, 0, early.length);
        return true;
    }
    #fetch(fetch, pending, body) {
        const { session, head } = pending;
        const request = toRequest(head, body, this.isSecure ? "https" : "http");
        if (request === undefined) {
            session.refuse(badRequest("The request's method or target cannot be served"));
            return;
        }
        this.#pending.set(request, pending);
        const isHead = head.method === "HEAD";
        try {
            const result = fetch(request, this.server);
            if (result instanceof Promise) {
                result.then((response) => this.#respond(session, response, isHead), (error) => this.#respondToError(session, error, isHead));
            }
            else {
                this.#respond(session, result, isHead);
            }
        }
        catch (error) {
            this.#respondToError(session, error, isHead);
        }
    }
    #respond(session, response, isHead) {
        if (response instanceof Response) {
            session.respond(response, isHead).catch((error) => {
                console.error(error);
                session.refuse({ status: 500, reason: "", headers: [] });
            });
        }
        else if (session.isBusy) {
            this.#respondToError(session, new TypeError("fetch returned neither a Response nor an upgrade"), isHead);
        }
    }
    /** The program's `error` makes the answer; without it the peer learns nothing and the console everything. */
    async #respondToError(session, thrown, isHead) {
        const { error } = this.#options;
        try {
            if (error !== undefined) {
                await session.respond(await error(thrown), isHead);
                return;
            }
            console.error(thrown);
        }
        catch (again) {
            console.error(again);
        }
        session.refuse({ status: 500, reason: "", headers: [] });
    }
    /** Strangers cause these: what the program makes of them must not bring the server down. */
    #tlsFailed(error) {
        try {
            const result = this.#options.tlsError?.(error);
            if (result instanceof Promise)
                result.catch((thrown) => console.error(thrown));
        }
        catch (thrown) {
            console.error(thrown);
        }
    }
    #tellStop() {
        const { diagnostics } = this.#engine;
        if (this.#listener === undefined || !diagnostics.wants("server:stop"))
            return;
        diagnostics.publish("server:stop", { address: this.address, connections: this.sockets.size });
    }
    #abortAll() {
        for (const session of this.#https)
            session.connection.abort();
        for (const session of this.sockets)
            session.terminate();
    }
    #checkStopped() {
        if (this.#stopped !== undefined && this.#https.size === 0 && this.sockets.size === 0)
            this.#stopped();
    }
}
function entriesOf(headers) {
    return Symbol.iterator in headers
        ? headers
        : Object.entries(headers);
}
/** The request as `fetch` gets it, or undefined where the platform's Request cannot hold it (CONNECT, TRACE, odd targets). */
function toRequest(head, body, scheme) {
    const { target, method } = head;
    // The Fetch standard forbids these; not every runtime does, and a program must not meet them on one only.
    if (FORBIDDEN_METHODS.has(method.toUpperCase()))
        return undefined;
    // A Host may be empty, and the target's first segment must not become the host then.
    const url = target.startsWith("/")
        ? `${scheme}://${head.headers.get("host") || "localhost"}${target}`
        : target;
    try {
        return new Request(url, {
            method,
            headers: [...head.headers],
            ...(body.length > 0 && method !== "GET" && method !== "HEAD"
                ? { body: body }
                : {}),
        });
    }
    catch {
        return undefined;
    }
}
