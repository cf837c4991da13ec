/**
 * The life of an endpoint from the inside: attempt, connection, loss, delay, and again. One connection delivers at a time; when its time
 * is over a successor is opened beside it and held back until the old one is gone.
 */
import { RingwireError } from "../errors.js";
import { withoutUser } from "../protocol/url.js";
import { CallbackTimer } from "../timer_wheel.js";
import { Connector } from "../websocket/connector.js";
import { handlerError } from "../websocket/session.js";
import { Backoff } from "./backoff.js";
import { boundHandlers } from "./bound_handlers.js";
import { Endpoint } from "./endpoint.js";
import { connectOptionsOf, readEndpointPlan, } from "./endpoint_options.js";
import { Line } from "./line.js";
/** How long the old connection waits for the first message of its successor. */
const OVERLAP_MS = 5_000;
const DEFAULT_BACKOFF = { initialMs: 100, factor: 1.5, maxMs: 30_000 };
/** See the top of this file. */
export class EndpointHost {
    endpoint = new Endpoint(this);
    plan;
    context;
    heartbeat;
    url = "";
    attempts = 0;
    reconnects = 0;
    lastReason = undefined;
    #options;
    #household;
    #connector;
    #engine;
    #backoff;
    #retry;
    #urlDeadline;
    #overlap;
    #state = "connecting";
    /** The connection that delivers. */
    #line = undefined;
    /** Takes the line's place when that is gone; its messages are held until then. */
    #successor = undefined;
    #handshake = undefined;
    /** Whether an attempt is under way, from asking for the URL on. */
    #isTrying = false;
    /** Attempts that were given up are known by their number. */
    #attemptNumber = 0;
    #hasBeenOpen = false;
    #gap = undefined;
    #isStopped = false;
    #isRemoved = false;
    #resolveGone = () => undefined;
    #gone = new Promise((resolve) => {
        this.#resolveGone = resolve;
    });
    /** @throws TypeError, RangeError for options that are unknown, out of range or do not fit. */
    constructor(household, options, loop) {
        this.plan = readEndpointPlan(options);
        this.context = household.context;
        this.heartbeat = options.heartbeat;
        this.#options = options;
        this.#household = household;
        this.#connector = new Connector("endpoint", {
            ...connectOptionsOf(options),
            loop,
            data: this.endpoint,
            websocket: boundHandlers(options.websocket ?? {}, household.context),
        });
        if (typeof options.url !== "function")
            this.#connector.check(options.url);
        this.#engine = this.#connector.engine;
        this.#backoff = new Backoff(this.plan.reconnect ?? DEFAULT_BACKOFF, () => randomShare(this.#engine.runtime));
        this.#retry = new CallbackTimer(() => this.#attempt());
        this.#urlDeadline = new CallbackTimer(() => this.#urlTimedOut());
        this.#overlap = new CallbackTimer(() => this.#succeed());
    }
    // ── what the endpoint shows ──────────────────────────────────────────────────────────────────
    get state() {
        return this.#state === "open" && this.socket === undefined ? "waiting" : this.#state;
    }
    get socket() {
        return this.#openLine?.session.socket;
    }
    get connectedSinceMs() {
        return this.#openLine?.openedMs;
    }
    get #openLine() {
        if (this.#line?.isOpen)
            return this.#line;
        return this.#successor?.isOpen ? this.#successor : undefined;
    }
    // ── from the service ─────────────────────────────────────────────────────────────────────────
    /** Begins the first attempt, before it returns. */
    start() {
        this.#attempt();
    }
    /** Closes what is open and gives up what is not. Resolves when all is gone. */
    remove() {
        if (this.#isRemoved)
            return this.#gone;
        this.#isRemoved = true;
        this.#attemptNumber++;
        this.#handshake?.giveUp();
        for (const timer of [this.#retry, this.#urlDeadline, this.#overlap])
            this.#engine.wheel.cancel(timer);
        this.#successor?.drop("removed");
        this.#line?.close("removed");
        if (this.#line === undefined && this.#successor === undefined) {
            const finish = () => this.#finish(this.#nothing("removed", undefined));
            // Of a loop that is closed there is no later.
            if (this.#engine.isClosed())
                finish();
            else
                this.#engine.soon(finish);
        }
        return this.#gone;
    }
    // ── from the attempt ─────────────────────────────────────────────────────────────────────────
    opened(session) {
        this.#isTrying = false;
        this.#handshake = undefined;
        const line = new Line(this.#engine, this, session, this.url);
        if (this.#line !== undefined) {
            this.#successor = line;
            session.inbox.hold(() => this.#succeed());
            this.#schedule(this.#overlap, OVERLAP_MS);
            return;
        }
        this.#settle(line);
        this.#tellGap();
    }
    failed(error) {
        this.#isTrying = false;
        this.#handshake = undefined;
        this.#lost(this.#nothing("connect", asRingwireError(error)));
    }
    // ── from the connections ─────────────────────────────────────────────────────────────────────
    ttlOver(line) {
        if (line !== this.#line || !line.isOpen)
            return true;
        const { canAutoDisconnect } = this.#options;
        const isAllowed = this.#ask(() => canAutoDisconnect?.call(this.#options, this.context, this.endpoint));
        if (!isAllowed)
            return false;
        if (this.plan.makeBeforeBreak && this.plan.reconnect !== undefined)
            this.#attempt();
        else
            line.close("ttl");
        return true;
    }
    ended(line) {
        const reason = line.reason();
        if (reason.openMs >= (this.plan.reconnect?.provenMs ?? 0))
            this.#backoff.reset();
        const wasLine = line === this.#line;
        if (wasLine)
            this.#line = undefined;
        else
            this.#successor = undefined;
        if (this.#isRemoved) {
            if (this.#line === undefined && this.#successor === undefined)
                this.#finish(reason);
        }
        else if (!wasLine) {
            this.#engine.wheel.cancel(this.#overlap);
            this.#lost(reason);
        }
        else if (this.#successor !== undefined) {
            this.#replaced(line, reason, this.#successor);
        }
        else {
            // An attempt that is under way counts as one of those it took.
            this.#gap = { line, reason, attempts: this.attempts - (this.#isTrying ? 1 : 0) };
            this.#lost(reason);
        }
    }
    // ── inside ───────────────────────────────────────────────────────────────────────────────────
    #attempt() {
        const number = ++this.#attemptNumber;
        const { url } = this.#options;
        this.#isTrying = true;
        this.attempts++;
        if (this.#line === undefined)
            this.#state = "connecting";
        try {
            const answer = typeof url === "function" ? url.call(this.#options, this.context, this.endpoint) : url;
            if (!(answer instanceof Promise)) {
                this.#dial(answer);
                return;
            }
            this.#schedule(this.#urlDeadline, this.#connector.connectTimeoutMs);
            answer.then((later) => this.#guarded(number, () => this.#dial(later)), (thrown) => this.#guarded(number, () => this.failed(handlerError(thrown))));
        }
        catch (thrown) {
            this.#engine.soon(() => this.#guarded(number, () => this.failed(handlerError(thrown))));
        }
    }
    /** Runs the rest of an attempt, unless it was given up. */
    #guarded(number, rest) {
        if (number !== this.#attemptNumber)
            return;
        this.#engine.wheel.cancel(this.#urlDeadline);
        try {
            rest();
        }
        catch (thrown) {
            this.failed(handlerError(thrown));
        }
    }
    #dial(url) {
        this.url = withoutUser(String(url));
        this.#handshake = this.#connector.open(url, this);
    }
    #urlTimedOut() {
        this.#attemptNumber++;
        const { connectTimeoutMs } = this.#connector;
        this.failed(new RingwireError("ERR_CONNECTION_TIMEOUT", `url() did not answer within ${connectTimeoutMs} ms`));
    }
    /** A connection takes its place. */
    #settle(line) {
        this.#line = line;
        this.#state = "open";
        if (this.#hasBeenOpen)
            this.reconnects++;
        this.#hasBeenOpen = true;
    }
    /** The successor is there and has something to say: the old connection closes, and delivers what is on its way until it is gone. */
    #succeed() {
        this.#engine.wheel.cancel(this.#overlap);
        this.#line?.close("ttl");
    }
    #replaced(old, reason, successor) {
        this.#engine.wheel.cancel(this.#overlap);
        this.#successor = undefined;
        this.lastReason = reason;
        this.#settle(successor);
        this.#tellClosed(reason);
        // Broken by something else before the successor could take over.
        if (!old.hasExpired)
            this.#gap = { line: old, reason, attempts: this.attempts };
        this.#tellGap();
        successor.session.inbox.release();
    }
    /** After every end and every failed attempt: whether to come back, and when. */
    #lost(reason) {
        this.lastReason = reason;
        const isReplacing = this.#isTrying || this.#retry.dueTick >= 0;
        // A replacement is under way already, or the connection that was to be replaced is still there.
        if (isReplacing)
            this.#state = this.#isTrying ? "connecting" : "waiting";
        else if (this.#comesBack(reason)) {
            this.#schedule(this.#retry, Math.max(this.#backoff.next(), reason.error?.retryAfterMs ?? 0));
            if (this.#line === undefined)
                this.#state = "waiting";
        }
        else if (this.#line === undefined) {
            this.#stop();
        }
        this.#tellClosed(reason);
    }
    #comesBack(reason) {
        const { reconnect } = this.plan;
        if (reconnect === undefined || this.#engine.isClosed())
            return false;
        if (reconnect.attempts > 0 && this.#backoff.failures >= reconnect.attempts)
            return false;
        const { canRecreate } = this.#options;
        return this.#ask(() => canRecreate?.call(this.#options, reason, this.context, this.endpoint));
    }
    #stop() {
        if (this.#isStopped)
            return;
        this.#isStopped = true;
        this.#state = "stopped";
        this.#household.stopped();
    }
    #finish(reason) {
        this.#stop();
        this.#state = "removed";
        this.lastReason = reason;
        this.#household.removed(this.endpoint);
        this.#tellClosed(reason);
        this.#resolveGone();
    }
    #tellGap() {
        const lost = this.#gap;
        if (lost === undefined)
            return;
        this.#gap = undefined;
        const sinceMs = lost.line.lostSinceMs;
        const durationMs = this.#engine.runtime.nowMs() - sinceMs;
        const attempts = this.attempts - lost.attempts;
        const { gap } = this.#options;
        const event = { reason: lost.reason, sinceMs, durationMs, attempts };
        this.#tell(() => gap?.call(this.#options, event, this.context, this.endpoint));
    }
    #tellClosed(reason) {
        const { closed } = this.#options;
        this.#tell(() => closed?.call(this.#options, reason, this.context, this.endpoint));
    }
    /** Calls the program. What it throws is its own matter, and costs no connection. */
    #tell(call) {
        try {
            const result = call();
            if (result instanceof Promise)
                result.catch((thrown) => console.error(handlerError(thrown)));
        }
        catch (thrown) {
            console.error(handlerError(thrown));
        }
    }
    /** Asks the program; only `false` is a no. */
    #ask(question) {
        let answer;
        this.#tell(() => {
            answer = question();
        });
        return answer !== false;
    }
    /** The reason of an end without a connection. */
    #nothing(kind, error) {
        return { kind, error, close: undefined, openMs: 0, url: this.url };
    }
    #schedule(timer, delayMs) {
        this.#engine.wheel.schedule(timer, this.#engine.runtime.nowMs(), delayMs);
    }
}
/** From 0 to 1, 1 excluded. */
function randomShare(runtime) {
    const words = new Uint32Array(1);
    runtime.randomFill(new Uint8Array(words.buffer));
    return words[0] / 2 ** 32;
}
/** A wrong argument, such as a URL that is none, came from the program's `url`. */
function asRingwireError(error) {
    return error instanceof RingwireError ? error : handlerError(error);
}
