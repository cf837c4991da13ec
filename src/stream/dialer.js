/**
 * From a host and a port to one connection that stands: resolves anew each time, tries all addresses as RFC 8305 ("Happy Eyeballs")
 * says, and keeps the deadlines. What is spoken over the connection is its caller's matter.
 */
import { RingwireError } from "../errors.js";
import { withoutUser } from "../protocol/url.js";
import { CallbackTimer } from "../timer_wheel.js";
import { tlsError } from "../tls_errors.js";
import { literalAddresses, resolvedAddresses } from "./address_of.js";
/** Head start of one address over the next (RFC 8305 §5, "Connection Attempt Delay"). */
const ATTEMPT_DELAY_MS = 250;
/** See the top of this file. */
export class Dialer {
    #engine;
    #plan;
    #caller;
    #deadline;
    #nextAttempt;
    #attempts = new Set();
    #addresses = [];
    #isDone = false;
    #isGivenUp = false;
    /** `connectTimeoutMs` is over, but an attempt's TCP connection stood by then and TLS has its own deadline. */
    #isTcpOver = false;
    constructor(engine, plan, caller) {
        this.#engine = engine;
        this.#plan = plan;
        this.#caller = caller;
        this.#deadline = new CallbackTimer(() => this.#timedOut());
        this.#nextAttempt = new CallbackTimer(() => {
            if (!this.#isSecuring)
                this.#attempt();
        });
    }
    /** Begins. An address that needs no resolving is tried before this returns, so that polled loops need no promises. */
    start() {
        const { host, port, connectTimeoutMs } = this.#plan;
        this.#arm(this.#deadline, connectTimeoutMs);
        const literal = literalAddresses(host, port);
        if (literal !== undefined) {
            this.#addresses = literal;
            this.#attempt();
            return;
        }
        resolvedAddresses(this.#engine.runtime, host, port).then((addresses) => {
            this.#addresses = addresses;
            this.#attempt();
        }, (error) => this.#fail(error));
    }
    /** Drops every attempt. The caller hears nothing more. */
    giveUp() {
        this.#isGivenUp = true;
        this.#drop(undefined);
    }
    /** An attempt's connection stands: the others are given up. */
    connected(winner, connection) {
        this.#drop(winner);
        connection.handler = this.#caller.connected(connection);
    }
    /** An attempt failed. The next address is tried at once; the last failure is the caller's. */
    attemptFailed(attempt, error) {
        this.#attempts.delete(attempt);
        if (this.#isDone)
            return;
        // Who breaks TLS has been reached: to try another address then would only hide why.
        if (error.code.startsWith("ERR_TLS_"))
            this.#fail(error);
        else if (this.#addresses.length > 0)
            this.#attempt();
        else if (this.#attempts.size === 0)
            this.#fail(error);
    }
    #fail(error) {
        if (this.#isDone)
            return;
        this.#drop(undefined);
        // Not now: this may be inside `start`.
        this.#engine.soon(() => {
            if (!this.#isGivenUp)
                this.#caller.failed(error);
        });
    }
    /** Ends the search; every attempt but the winner's is dropped. */
    #drop(winner) {
        this.#isDone = true;
        this.#engine.wheel.cancel(this.#deadline);
        this.#engine.wheel.cancel(this.#nextAttempt);
        for (const attempt of this.#attempts)
            if (attempt !== winner)
                attempt.giveUp();
    }
    #attempt() {
        if (this.#isDone)
            return;
        const address = this.#addresses.shift();
        if (address === undefined)
            return;
        if (this.#addresses.length > 0)
            this.#arm(this.#nextAttempt, ATTEMPT_DELAY_MS);
        const attempt = new Attempt(this);
        this.#attempts.add(attempt);
        try {
            attempt.connection = this.#engine.transport.connect({ ...this.#plan.socketOptions, address }, attempt);
        }
        catch (error) {
            // Anything else is a wrong argument, such as a path that is too long: no address will do better.
            if (error instanceof RingwireError)
                this.attemptFailed(attempt, error);
            else
                this.#fail(error);
        }
    }
    #arm(timer, delayMs) {
        this.#engine.wheel.schedule(timer, this.#engine.runtime.nowMs(), delayMs);
    }
    /** Whether an attempt is past TCP and in its TLS handshake: a peer is there, another address need not be tried. */
    get #isSecuring() {
        if (this.#plan.socketOptions.tls === undefined)
            return false;
        for (const attempt of this.#attempts)
            if (attempt.isReached)
                return true;
        return false;
    }
    #timedOut() {
        const { url, connectTimeoutMs } = this.#plan;
        const { tls } = this.#plan.socketOptions;
        if (this.#isTcpOver) {
            this.#fail(tlsError("ERR_TLS_TIMEOUT", `Cannot connect to ${withoutUser(url)}`));
            return;
        }
        if (tls !== undefined && this.#isSecuring) {
            this.#isTcpOver = true;
            // Who has not been reached by now is late.
            for (const attempt of this.#attempts)
                if (!attempt.isReached)
                    attempt.giveUp();
            // The transport has its own deadline, which began with TCP and so comes first.
            this.#arm(this.#deadline, tls.handshakeTimeoutMs);
            return;
        }
        this.#fail(new RingwireError("ERR_CONNECTION_TIMEOUT", `Cannot connect to ${withoutUser(url)} within ${connectTimeoutMs} ms`));
    }
}
/** One address being tried. */
class Attempt {
    connection = undefined;
    #dialer;
    #isOver = false;
    constructor(dialer) {
        this.#dialer = dialer;
    }
    /** The peer has answered on TCP. */
    get isReached() {
        return !this.#isOver && this.connection?.remoteAddress() !== undefined;
    }
    giveUp() {
        this.#isOver = true;
        this.connection?.abort();
    }
    opened() {
        if (!this.#isOver)
            this.#dialer.connected(this, this.connection);
    }
    // Nothing comes before `opened`, and afterwards another is told.
    received() { }
    ended() { }
    drained() { }
    closed(error) {
        if (this.#isOver)
            return;
        this.#isOver = true;
        this.#dialer.attemptFailed(this, error ??
            new RingwireError("ERR_CONNECTION_CLOSED", "Cannot connect: the peer hung up before anything was said"));
    }
}
