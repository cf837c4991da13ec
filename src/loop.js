/**
 * The composition root: a loop is one transport, one wheel of deadlines and one clock, for one thread. The
 * only file above the seam that knows which transports and runtimes exist.
 */
import { Diagnostics } from "./diagnostics/diagnostics.js";
import { RingwireError } from "./errors.js";
import { Counters } from "./metrics/counters.js";
import { openNativeTransport } from "./native/native_transport.js";
import { checkKnown, LOOP_NUMBERS, readChoice, readNumbers } from "./options.js";
import { MaskKeys } from "./protocol/mask_keys.js";
import { openPlayer, Replay } from "./record/replay.js";
import { runtime } from "./runtime/detect.js";
import { TimerWheel } from "./timer_wheel.js";
import { openShim } from "./uring/shim.js";
import { ShimCodec } from "./uring/shim_codec.js";
import { openUringTransport } from "./uring/uring_transport.js";
/** `run` looks at its deadlines at least this often. */
const LONGEST_WAIT_MS = 1_000;
/** @internal What a loop is made of. */
export let engineOf;
let shared;
/**
 * Where connections live and what drives them. Without one, `connect` and `serve` share a default loop per thread. A loop
 * over io_uring holds kernel memory until it is closed; a process has room for 64 of them, further ones use native sockets.
 *
 * @example
 * ```ts
 * import { Loop, serve } from "ringwire";
 *
 * const loop = new Loop({ drive: "spin", spinUs: 50 });
 * console.log(loop.transport, loop.reason);
 * const server = await serve({ loop, port: 0, websocket: { message: (ws, data) => void ws.send(data) } });
 * await server.stop();
 * loop.close();
 * ```
 */
export class Loop {
    /** How this loop is driven. */
    drive;
    #engine;
    #cancelTimer = undefined;
    #timerDueMs = Infinity;
    /** What polled loops run in their next turn: their thread may never get to a microtask. */
    #soon = [];
    #running = false;
    #closed = false;
    static {
        engineOf = (loop) => loop.#engine;
    }
    /**
     * Opens the transport.
     *
     * @param options - See {@linkcode LoopOptions}.
     * @throws RingwireError `ERR_TRANSPORT_UNAVAILABLE` when `transport: "uring"` cannot be had; the message says why.
     * @throws RingwireError `ERR_DRIVE_UNAVAILABLE` when `manual` or `run` is asked for without io_uring.
     * @throws TypeError, RangeError for unknown options and values out of range.
     */
    constructor(options = {}) {
        checkKnown("Loop", options, [...Object.keys(LOOP_NUMBERS), "drive", "transport", "library"]);
        this.drive = readChoice("drive", options.drive, ["auto", "spin", "manual", "run"], "auto");
        const replay = options.transport instanceof Replay ? openReplay(options.transport, options) : undefined;
        const transport = replay ?? openTransport(options, this.drive);
        if (this.#isPolled && !transport.canPoll) {
            transport.close();
            throw new RingwireError("ERR_DRIVE_UNAVAILABLE", `Cannot drive a loop by "${this.drive}" over native sockets, which only the runtime's event loop can drive (${transport.reason}); use "auto" or "spin"`);
        }
        // A replay has a clock of its own, and advances the wheel itself.
        const own = replay?.runtime ?? runtime;
        const armed = (dueMs) => (replay === undefined ? this.#arm(dueMs) : replay.armed(dueMs));
        const wheel = new TimerWheel(own.nowMs(), armed);
        replay?.start(wheel, this.#isPolled);
        this.#engine = {
            runtime: own,
            transport,
            wheel,
            maskKeys: new MaskKeys((bytes) => runtime.randomFill(bytes)),
            metrics: new Counters(() => runtime.nowMs()),
            diagnostics: new Diagnostics(runtime),
            soon: this.#isPolled ? (callback) => void this.#soon.push(callback) : queueMicrotask,
            isClosed: () => this.#closed,
        };
        const { diagnostics } = this.#engine;
        if (!diagnostics.wants("loop:open"))
            return;
        diagnostics.publish("loop:open", {
            transport: transport.kind,
            drive: this.drive,
            reason: transport.reason,
        });
    }
    /** The transport in use. */
    get transport() {
        return this.#engine.transport.kind;
    }
    /** Why that transport: what the kernel gives, or why io_uring is not used. */
    get reason() {
        return this.#engine.transport.reason;
    }
    /** Counters of the transport since the loop was made. */
    get stats() {
        return this.#engine.transport.stats();
    }
    /** What its WebSockets have done: those of its servers and services, which have metrics of their own too, and all others. */
    get metrics() {
        return this.#engine.metrics;
    }
    /**
     * One turn of a `manual` loop: sends, receives, calls handlers, expires deadlines. Returns how many
     * events were handled. Never call it from a handler.
     *
     * @param waitUs - Microseconds to wait in the kernel when there is nothing to do. @default 0
     * @throws RingwireError `ERR_DRIVE_UNAVAILABLE` unless the loop's drive is `manual`, or `run` and `run()` is over: to see
     *   through what is still under way, such as `server.stop()`.
     */
    poll(waitUs = 0) {
        if (!this.#isPolled || this.#running) {
            throw new RingwireError("ERR_DRIVE_UNAVAILABLE", this.#running
                ? "Cannot poll a loop from inside its run()"
                : `Cannot poll a loop whose drive is "${this.drive}"; make it with drive: "manual"`);
        }
        return this.#turn(waitUs);
    }
    /**
     * Blocks the thread in the kernel and handles events until `stop()` is called from a handler. Promises and
     * the runtime's own timers of this thread do not advance meanwhile: meant for a Worker.
     *
     * @throws RingwireError `ERR_DRIVE_UNAVAILABLE` unless the loop's drive is `run`.
     */
    run() {
        if (this.drive !== "run") {
            throw new RingwireError("ERR_DRIVE_UNAVAILABLE", `Cannot run a loop whose drive is "${this.drive}"; make it with drive: "run"`);
        }
        this.#running = true;
        try {
            while (this.#running && !this.#closed) {
                const { wheel, runtime } = this.#engine;
                const waitMs = Math.min(wheel.nextDueMs() - runtime.nowMs(), LONGEST_WAIT_MS);
                this.#turn(Math.max(0, Math.ceil(waitMs * 1_000)));
            }
        }
        finally {
            this.#running = false;
        }
    }
    /** Makes `run()` return after the current turn. What is open stays open and waits for `poll()`, `run()` or `close()`. */
    stop() {
        this.#running = false;
    }
    /** Aborts every connection and listener of this loop and releases its memory. Idempotent. */
    close() {
        if (this.#closed)
            return;
        this.#closed = true;
        this.#running = false;
        if (shared === this)
            shared = undefined;
        this.#engine.transport.close();
        this.#cancelTimer?.();
        this.#cancelTimer = undefined;
    }
    /** Same as {@linkcode Loop.close}. */
    [Symbol.dispose]() {
        this.close();
    }
    get #isPolled() {
        return this.drive === "manual" || this.drive === "run";
    }
    #turn(waitUs) {
        for (const callback of this.#soon.splice(0))
            callback();
        const events = this.#engine.transport.poll(waitUs);
        return events + this.#engine.wheel.advance(this.#engine.runtime.nowMs());
    }
    /** Keeps one timer of the runtime set for the earliest deadline. Polled loops look at the wheel themselves. */
    #arm(dueMs) {
        if (dueMs >= this.#timerDueMs || this.#isPolled)
            return;
        this.#cancelTimer?.();
        this.#timerDueMs = dueMs;
        this.#cancelTimer = runtime.setTimer(() => this.#timerFired(), Math.max(0, dueMs - runtime.nowMs()));
    }
    #timerFired() {
        this.#cancelTimer = undefined;
        this.#timerDueMs = Infinity;
        if (this.#closed)
            return;
        this.#engine.wheel.advance(runtime.nowMs());
        const dueMs = this.#engine.wheel.nextDueMs();
        if (dueMs !== Infinity)
            this.#arm(dueMs);
    }
}
/** @internal The loop that `connect` and `serve` use when none is given: `auto`, one per thread. */
export function defaultLoop() {
    shared ??= new Loop();
    return shared;
}
function openReplay(replay, { library }) {
    return openPlayer(replay, runtime, () => openCodec(libraryPath(library)));
}
function libraryPath(given) {
    return given ?? runtime.environment("RINGWIRE_LIBRARY") ?? runtime.findLibrary();
}
function openTransport(options, drive) {
    const numbers = readNumbers("Loop", options, LOOP_NUMBERS);
    const limits = numbers;
    const wanted = readChoice("transport", options.transport ?? environmentTransport(), ["auto", "uring", "native"], "auto");
    const driven = { drive: drive === "run" ? "manual" : drive, spinUs: numbers.spinUs };
    const library = libraryPath(options.library);
    let reason = `native sockets of ${runtime.name} asked for`;
    if (wanted !== "native") {
        try {
            return openUringTransport({ runtime, library, ...driven, limits });
        }
        catch (error) {
            if (wanted === "uring" || !(error instanceof RingwireError))
                throw error;
            reason = error.message;
        }
    }
    return openNativeTransport({ runtime, ...driven, limits, reason, openCodec: () => openCodec(library) });
}
/** zlib of the shim needs no io_uring: it serves native sockets too, and is loaded only when something is compressed. */
function openCodec(library) {
    try {
        return new ShimCodec(openShim(runtime, library));
    }
    catch (error) {
        if (error instanceof RingwireError)
            return runtime.openCodec();
        throw error;
    }
}
function environmentTransport() {
    const value = runtime.environment("RINGWIRE_TRANSPORT");
    return value === "" ? undefined : value;
}
