/**
 * When turns are taken. `auto` and `spin` live on the runtime's event loop: a burst of turns while there
 * is work, then sleep until the wake-up socket gets a byte. `manual` takes turns only when polled.
 */
import { EAGAIN, errnoName } from "./errno.js";
/** A burst ends after this many turns or this long, so that the program's timers and other I/O get their share. */
const BURST_TURNS = 32;
const BURST_MS = 1;
/**
 * Parking and waking cost about 6 µs. Where the next event tends to come sooner than LINGER_MS after the last
 * one (a ping-pong within one machine), `auto` waits for it awake: measured 6.8 instead of 12 µs round trip. It
 * keeps score, so that a program whose events come later never pays for waiting: once misses outweigh hits,
 * only every LINGER_PROBE-th burst tries again.
 */
const LINGER_MS = 0.02;
const LINGER_SCORE_MAX = 16;
const LINGER_HIT = 2;
const LINGER_PROBE = 64;
/** `spin`: how long a burst goes on without an event before the runtime's loop has a look at its other I/O. */
const SLICE_MS = 0.1;
/** Bursts that may follow from microtasks alone before a task is waited for: microtasks starve everything else. */
const MICROTASK_BURSTS = 16;
/** Without parking, the ring is looked at this often. */
const IDLE_POLL_MS = 1;
/** Drives one ring by a runtime's event loop. */
export class Driver {
    #runtime;
    #ring;
    #dispatcher;
    #broken;
    #isManual;
    #spinMs;
    #wake = undefined;
    /** Whether a parked ring will wake us. */
    #canPark = false;
    #noParkReason = undefined;
    #isAlive = false;
    #isClosed = false;
    #inBurst = false;
    #microtaskQueued = false;
    #taskQueued = false;
    #timer = undefined;
    #microtaskBursts = 0;
    #lastEventMs = -Infinity;
    #lingerScore = 0;
    #burstsUntilProbe = 1;
    #onMicrotask = () => this.#microtask();
    #onWake = () => this.#task();
    #onTask = () => {
        this.#taskQueued = false;
        this.#task();
    };
    #onTimer = () => {
        this.#timer = undefined;
        this.#task();
    };
    /** @param broken - A turn has failed: the ring is of no more use. */
    constructor(runtime, ring, dispatcher, options, broken) {
        this.#runtime = runtime;
        this.#ring = ring;
        this.#dispatcher = dispatcher;
        this.#broken = broken;
        this.#isManual = options.drive === "manual";
        this.#spinMs = options.drive === "spin" ? options.spinUs / 1_000 : 0;
    }
    /** Why it cannot sleep, for people; undefined when it can. */
    get noParkReason() {
        return this.#noParkReason;
    }
    /**
     * Opens the wake-up socket.
     *
     * @param kernelParks - The kernel can wake a parked ring.
     */
    start(kernelParks) {
        if (this.#isManual)
            return;
        if (!kernelParks) {
            this.#noParkReason = "this kernel does not wake a parked ring";
            return;
        }
        const mode = this.#runtime.wakeMode;
        try {
            const connected = () => {
                if (mode === "abstract")
                    this.#acceptWake();
                else
                    this.#canPark = true;
            };
            const source = this.#ring.openWake(mode);
            this.#wake = this.#runtime.openWake(source, connected, this.#onWake, (error) => this.#wakeFailed(error));
        }
        catch (error) {
            this.#wakeFailed(error);
        }
    }
    /** Whether the program has anything open here: then, and only then, this keeps the process running. */
    setAlive(isAlive) {
        if (isAlive === this.#isAlive)
            return;
        this.#isAlive = isAlive;
        this.#wake?.setAlive(isAlive);
        if (!isAlive)
            this.#stopTimer();
    }
    /** There are commands, or events that nobody looked at: a turn has to come. */
    touch() {
        if (this.#microtaskQueued || this.#inBurst || this.#isManual)
            return;
        this.#microtaskQueued = true;
        queueMicrotask(this.#onMicrotask);
    }
    close() {
        this.#isClosed = true;
        this.#wake?.close();
        this.#wake = undefined;
        this.#stopTimer();
    }
    #microtask() {
        this.#microtaskQueued = false;
        if (this.#isClosed)
            return;
        if (!this.#taskQueued && this.#microtaskBursts++ < MICROTASK_BURSTS) {
            this.#burst();
            return;
        }
        // Send now; the task looks at what came.
        try {
            this.#dispatcher.flush();
            this.#queueTask();
        }
        catch (error) {
            this.#broken(error);
        }
    }
    #task() {
        this.#microtaskBursts = 0;
        if (!this.#isClosed && !this.#inBurst)
            this.#burst();
    }
    #queueTask() {
        if (this.#taskQueued || this.#isClosed)
            return;
        this.#taskQueued = true;
        this.#runtime.defer(this.#onTask);
    }
    #burst() {
        this.#inBurst = true;
        try {
            if (this.#takeTurns())
                this.#queueTask();
            else if (!this.#canPark)
                this.#sleepWithoutParking();
        }
        catch (error) {
            this.#broken(error);
        }
        this.#inBurst = false;
    }
    /** Takes turns for a while. Returns whether more have to follow soon. */
    #takeTurns() {
        const runtime = this.#runtime;
        const stayMs = this.#stayMs();
        const startMs = runtime.nowMs();
        let nowMs = startMs;
        let isWaiting = false;
        for (let turns = 0; turns < BURST_TURNS;) {
            const stays = nowMs - this.#lastEventMs < stayMs;
            if (isWaiting && !stays) {
                this.#lingered(false);
                isWaiting = false;
            }
            const count = this.#dispatcher.takeTurn(this.#canPark && !stays, 0);
            if (this.#isClosed)
                return false;
            nowMs = runtime.nowMs();
            if (count === 0 && this.#ring.commandCount === 0) {
                if (!stays)
                    return false;
                if (nowMs - Math.max(startMs, this.#lastEventMs) >= SLICE_MS)
                    return true;
                isWaiting = true;
                continue;
            }
            turns++;
            if (count > 0) {
                this.#lastEventMs = nowMs;
                if (isWaiting)
                    this.#lingered(true);
                isWaiting = false;
            }
            if (nowMs - startMs >= BURST_MS)
                return true;
        }
        return true;
    }
    /** How long after an event this burst stays awake. */
    #stayMs() {
        if (this.#spinMs > 0)
            return this.#spinMs;
        if (this.#lingerScore > 0)
            return LINGER_MS;
        if (--this.#burstsUntilProbe > 0)
            return 0;
        this.#burstsUntilProbe = LINGER_PROBE;
        return LINGER_MS;
    }
    #lingered(isHit) {
        if (isHit)
            this.#lingerScore = Math.min(LINGER_SCORE_MAX, this.#lingerScore + LINGER_HIT);
        else if (this.#lingerScore > 0)
            this.#lingerScore--;
    }
    #sleepWithoutParking() {
        if (!this.#isAlive || this.#isClosed)
            return;
        // The wake-up socket is about to be connected: that takes one or two rounds of the event loop.
        if (this.#noParkReason === undefined)
            this.#queueTask();
        else
            this.#timer ??= setTimeout(this.#onTimer, IDLE_POLL_MS);
    }
    #acceptWake() {
        if (this.#isClosed)
            return;
        const result = this.#ring.acceptWake();
        if (result >= 0) {
            this.#canPark = true;
            this.touch();
        }
        else if (result === -EAGAIN)
            this.#runtime.defer(() => this.#acceptWake());
        else
            this.#wakeFailed(errnoName(-result));
    }
    #wakeFailed(error) {
        if (this.#isClosed)
            return;
        this.#canPark = false;
        this.#noParkReason = `the wake-up socket failed: ${error instanceof Error ? error.message : String(error)}`;
        this.#wake?.close();
        this.#wake = undefined;
        this.#queueTask();
    }
    #stopTimer() {
        if (this.#timer !== undefined)
            clearTimeout(this.#timer);
        this.#timer = undefined;
    }
}
