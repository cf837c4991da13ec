/**
 * A transport that plays a recording: the clock stands at the record that is being played, deadlines of the loop
 * expire where they fall between two records, and connections meet the recorded ones.
 *
 * Records are played strictly in the order of the file. So where the program is not ready, everything waits for it: while a connection
 * is paused, and before a recorded connection that the program has not opened yet.
 */
import { ERROR_CODES, RingwireError } from "../errors.js";
import { scalarKernels } from "../protocol/scalar_kernels.js";
import { ReplayConnection, recordingError } from "./replay_connection.js";
/** Records played before the program's promises and other events get their turn. */
const SLICE_RECORDS = 128;
const SCRATCH_BYTES = 256 << 10;
/** Turns of the event loop that the program gets to do what it did in the recording, before time goes on. */
const PATIENCE_TURNS = 8;
/** As much time may pass before a connection that does not come: more than the longest delay of a service that reconnects. */
const LONGEST_JUMP_MS = 60_000;
/** What a step answers beside a delay in milliseconds. */
const AGAIN = -1;
/** See the top of this file. */
export class Player {
    kind = "replay";
    canPoll = true;
    kernels = scalarKernels;
    scratch = new Uint8Array(SCRATCH_BYTES);
    sha1Base64;
    /** The runtime, with the recording's clock, and names that are not looked up. */
    runtime;
    #recording;
    #path;
    #speed;
    #waitMs;
    #real;
    #openCodec;
    #finished;
    #codec = undefined;
    #wheel = undefined;
    #isPolled = false;
    /** When the wheel has something due, on the replay's clock. */
    #dueMs = Infinity;
    #clockMs;
    /** What is added to recorded times: above 0 in a file's second session. */
    #shiftMs = 0;
    /** Two moments that belong together; pace is kept from there. */
    #paceRealMs = 0;
    #paceMs = 0;
    #entry = undefined;
    #session = undefined;
    #waiting = [];
    #listeners = [];
    #streams = new Map();
    #left = [];
    /** Turns given to the program before the current record, and since when it is waited for. */
    #turnsGiven = 0;
    #waitingSinceMs = -1;
    #damageCount = 0;
    #hasBegun = false;
    #isOver = false;
    #isClosed = false;
    /** Real time at the end: from there on the clock runs with it. */
    #overRealMs = 0;
    #isScheduled = false;
    #cancelTimer = undefined;
    #letDie = undefined;
    #turns = 0;
    #records = 0;
    #inBytes = 0;
    #connections = 0;
    #missed = 0;
    #incomplete = 0;
    constructor(options) {
        const { recording, runtime } = options;
        this.#recording = recording;
        this.#path = recording.path;
        this.#speed = options.speed;
        this.#waitMs = options.waitMs;
        this.#real = runtime;
        this.#openCodec = options.openCodec;
        this.#finished = options.finished;
        this.sha1Base64 = runtime.sha1Base64;
        this.#skipSessions();
        this.#clockMs = this.#timeMs;
        this.runtime = {
            ...runtime,
            nowMs: () => this.#nowMs(),
            resolve: async (host) => [{ host, family: "ipv4" }],
        };
    }
    /** Joins the loop's deadlines, before anything is connected. */
    start(wheel, isPolled) {
        this.#wheel = wheel;
        this.#isPolled = isPolled;
    }
    /** The wheel wants to be advanced at `dueMs`. */
    armed(dueMs) {
        if (dueMs >= this.#dueMs)
            return;
        this.#dueMs = dueMs;
        if (this.#hasBegun)
            this.wake();
    }
    get progress() {
        return {
            records: this.#records,
            inBytes: this.#inBytes,
            connections: this.#connections,
            missed: this.#missed,
            incomplete: this.#incomplete,
            isOver: this.#isOver,
        };
    }
    // ── Transport ────────────────────────────────────────────────────────────────────────────────
    get reason() {
        return `replay of ${this.#path}`;
    }
    get codec() {
        this.#codec ??= this.#openCodec();
        return this.#codec;
    }
    async listen(endpoint, handler) {
        this.#checkOpen("listen");
        const entry = { address: endpoint.address, handler };
        this.#listeners.push(entry);
        this.#begin();
        return {
            address: endpoint.address,
            close: () => {
                const index = this.#listeners.indexOf(entry);
                if (index >= 0)
                    this.#listeners.splice(index, 1);
            },
            updateTls() {
                throw new TypeError("Cannot update TLS: a replay has none");
            },
        };
    }
    connect(endpoint, handler) {
        this.#checkOpen("connect");
        const connection = new ReplayConnection(this, handler, endpoint.address, true);
        this.#waiting.push(connection);
        this.#begin();
        return connection;
    }
    flush() {
        // Nothing of what is sent goes anywhere.
    }
    poll(waitUs) {
        const before = this.#turns;
        const delayMs = this.#slice();
        const restMs = Math.min(delayMs, waitUs / 1_000);
        if (this.#turns === before && restMs > 0)
            sleep(restMs);
        return this.#turns - before;
    }
    stats() {
        return {
            connections: this.#streams.size + this.#waiting.length,
            turns: this.#turns,
            enters: 0,
            shortSends: 0,
            noBuffers: 0,
            parks: 0,
            handshakes: 0,
            resumptions: 0,
        };
    }
    close() {
        if (this.#isClosed)
            return;
        this.#isClosed = true;
        this.#cancelTimer?.();
        this.#letDie?.();
        this.#closeAll(undefined);
        this.#tellLeft();
        this.#recording.close();
        this.#codec?.close();
        this.#finished(this.progress);
    }
    // ── from the connections ─────────────────────────────────────────────────────────────────────
    wake() {
        if (this.#isPolled || this.#isScheduled || this.#isClosed)
            return;
        this.#cancelTimer?.();
        this.#cancelTimer = undefined;
        this.#isScheduled = true;
        this.#real.defer(() => {
            this.#isScheduled = false;
            this.#turn();
        });
    }
    left(connection) {
        if (this.#left.includes(connection))
            return;
        this.#left.push(connection);
        this.wake();
    }
    // ── turns ────────────────────────────────────────────────────────────────────────────────────
    #begin() {
        if (!this.#hasBegun) {
            this.#hasBegun = true;
            this.#letDie = this.#real.stayAlive();
            this.#keepPace();
        }
        this.wake();
    }
    /** One slice, and the next one arranged. */
    #turn() {
        if (this.#isClosed)
            return;
        const delayMs = this.#slice();
        if (this.#isScheduled || this.#isClosed || delayMs === Infinity)
            return;
        if (delayMs <= 0)
            this.wake();
        else
            this.#cancelTimer = this.#real.setTimer(() => this.wake(), delayMs);
    }
    /** Plays until something has to be waited for. Returns for how long, milliseconds; Infinity: for the program. */
    #slice() {
        if (!this.#hasBegun || this.#isClosed)
            return Infinity;
        for (let count = 0; count < SLICE_RECORDS; count++) {
            const delayMs = this.#step();
            if (delayMs !== AGAIN)
                return delayMs;
            this.#turns++;
            if (this.#isClosed)
                return Infinity;
        }
        return 0;
    }
    #step() {
        if (this.#left.length > 0) {
            this.#tellLeft();
            return AGAIN;
        }
        if (this.#isOver)
            return this.#afterEnd();
        this.#entry ??= this.#recording.next();
        if (this.#recording.problems.length > this.#damageCount)
            return this.#damaged();
        if (this.#entry === undefined)
            return this.#end();
        const recordMs = this.#timeMs;
        const nextMs = Math.max(this.#clockMs, Math.min(recordMs, this.#dueMs));
        if (this.#speed !== Infinity) {
            const delayMs = (nextMs - this.#paceMs) / this.#speed - (this.#real.nowMs() - this.#paceRealMs);
            if (delayMs > 0)
                return delayMs;
        }
        if (this.#dueMs <= recordMs)
            return this.#expire();
        this.#clockMs = nextMs;
        const delayMs = this.#play(this.#entry);
        if (delayMs !== AGAIN)
            return delayMs;
        this.#entry = undefined;
        this.#records++;
        if (this.#waitingSinceMs >= 0)
            this.#keepPace();
        this.#turnsGiven = 0;
        this.#waitingSinceMs = -1;
        return AGAIN;
    }
    #afterEnd() {
        const nowMs = this.#nowMs();
        if (this.#dueMs > nowMs)
            return this.#dueMs - nowMs;
        return this.#expire();
    }
    /** Lets the deadlines expire that are due next. */
    #expire() {
        if (!this.#isOver)
            this.#clockMs = Math.max(this.#clockMs, this.#dueMs);
        const wheel = this.#wheel;
        this.#dueMs = Infinity;
        wheel.advance(this.#nowMs());
        this.#dueMs = wheel.nextDueMs();
        return AGAIN;
    }
    // ── records ──────────────────────────────────────────────────────────────────────────────────
    /** Returns `AGAIN` when the record is done with, else how long to wait before it is tried again. */
    #play(entry) {
        if (entry.kind === "open")
            return this.#open(entry);
        if (entry.kind === "session")
            return this.#nextSession(entry);
        const stream = this.#streams.get(entry.connection);
        if (stream === undefined)
            return AGAIN;
        switch (entry.kind) {
            case "in":
                if (stream.isPaused)
                    return Infinity;
                this.#inBytes += entry.payload.length;
                protect(() => stream.recordedIn(entry.payload));
                break;
            case "out":
                // A program that answers in a promise gets the chance to, before the recorded peer goes on.
                if (stream.sentBytes < stream.recordedBytes + entry.payload.length && this.#turnsGiven++ < 1)
                    return 0;
                stream.recordedOut(entry.payload);
                break;
            case "end":
                if (stream.isPaused)
                    return Infinity;
                protect(() => stream.recordedEnd());
                break;
            case "closed":
                this.#finishStream(entry.connection, stream, errorOf(entry.facts()));
                break;
            case "loss":
                this.#break(entry.connection, stream, `${Number(entry.facts().records)} records are missing here`);
                break;
        }
        return AGAIN;
    }
    #open(entry) {
        const facts = entry.facts();
        const remote = addressOf(facts.remote);
        const local = addressOf(facts.local);
        if (facts.role === "server") {
            const listener = this.#listeners.find(({ address }) => address.port === 0 || address.port === local?.port);
            if (listener === undefined)
                return this.#waitForProgram();
            const connection = new ReplayConnection(this, NOBODY, remote ?? UNKNOWN, false);
            this.#began(entry, connection, local);
            protect(() => {
                connection.handler = listener.handler.accepted(connection);
            });
            return AGAIN;
        }
        const hostname = hostOf(facts.url);
        const index = this.#waiting.findIndex(({ remote: { host, port } }) => port === (remote?.port ?? port) && (host === remote?.host || host === hostname));
        if (index < 0)
            return this.#waitForProgram();
        const [connection] = this.#waiting.splice(index, 1);
        this.#began(entry, connection, local);
        protect(() => connection.handler.opened());
        return AGAIN;
    }
    #began({ connection: id }, connection, local) {
        connection.isOpen = true;
        connection.local = local;
        this.#streams.set(id, connection);
        this.#connections++;
    }
    /** The program has not opened what comes next: it gets turns, then the time until its next deadline, then real time. */
    #waitForProgram() {
        if (this.#turnsGiven++ < PATIENCE_TURNS)
            return 0;
        if (this.#dueMs <= this.#timeMs + LONGEST_JUMP_MS) {
            // Such as the delay before a service connects again, which chance has made longer than it was.
            this.#turnsGiven = 0;
            this.#expire();
            return 0;
        }
        const nowMs = this.#real.nowMs();
        if (this.#waitingSinceMs < 0)
            this.#waitingSinceMs = nowMs;
        const restMs = this.#waitMs - (nowMs - this.#waitingSinceMs);
        if (restMs > 0)
            return restMs;
        this.#missed++;
        return AGAIN;
    }
    /** A recorder went on with the file, in another process or later: its clock is another. */
    #nextSession(entry) {
        for (const [id, stream] of this.#streams)
            this.#break(id, stream, "its recording ends here");
        this.#beginSession(entry);
        return AGAIN;
    }
    #beginSession(entry) {
        const facts = entry.facts();
        const wallMs = Number(facts.wallMs) || 0;
        const passedMs = this.#session === undefined ? 0 : Math.max(0, wallMs - this.#session.wallMs);
        const beganMs = this.#session === undefined
            ? entry.timeNs / 1e6
            : Math.max(this.#clockMs, this.#session.clockMs + passedMs);
        this.#shiftMs = beganMs - entry.timeNs / 1e6;
        this.#session = { wallMs, clockMs: beganMs };
    }
    /** The clock begins at the first record that is about a connection. */
    #skipSessions() {
        for (;;) {
            this.#entry = this.#recording.next();
            if (this.#entry?.kind !== "session")
                return;
            this.#beginSession(this.#entry);
        }
    }
    /** What is missing may have been of any connection. */
    #damaged() {
        const problems = this.#recording.problems.slice(this.#damageCount);
        this.#damageCount += problems.length;
        for (const { kind, offset, sizeBytes } of problems) {
            const where = `${sizeBytes} bytes from ${offset} on`;
            const why = kind === "torn" ? `the file ends torn (${where})` : `the file is damaged (${where})`;
            for (const [id, stream] of this.#streams)
                this.#break(id, stream, why);
        }
        return AGAIN;
    }
    #end() {
        this.#isOver = true;
        this.#overRealMs = this.#real.nowMs();
        for (const [id, stream] of this.#streams)
            this.#break(id, stream, "the recording ends here");
        this.#closeAll(recordingError(this.#path, "the recording has no such connection any more"));
        this.#letDie?.();
        this.#letDie = undefined;
        this.#finished(this.progress);
        return AGAIN;
    }
    // ── endings ──────────────────────────────────────────────────────────────────────────────────
    #break(id, stream, why) {
        this.#incomplete++;
        this.#finishStream(id, stream, recordingError(this.#path, why));
    }
    #finishStream(id, stream, error) {
        this.#streams.delete(id);
        protect(() => stream.finish(error));
    }
    #closeAll(error) {
        const open = [...this.#streams.values(), ...this.#waiting.splice(0)];
        this.#streams.clear();
        for (const connection of open)
            protect(() => connection.finish(error));
    }
    /** Those that the program has closed. */
    #tellLeft() {
        const left = this.#left;
        this.#left = [];
        for (const connection of left) {
            const index = this.#waiting.indexOf(connection);
            if (index >= 0)
                this.#waiting.splice(index, 1);
            for (const [id, stream] of this.#streams)
                if (stream === connection)
                    this.#streams.delete(id);
            protect(() => connection.finish(undefined));
        }
    }
    #checkOpen(action) {
        if (this.#isClosed)
            throw new RingwireError("ERR_NOT_OPEN", `Cannot ${action}: the loop is closed`);
        if (this.#isOver)
            throw recordingError(this.#path, `cannot ${action}, the recording is over`);
    }
    // ── time ─────────────────────────────────────────────────────────────────────────────────────
    /** When the next record was made, on the replay's clock. */
    get #timeMs() {
        return this.#entry === undefined ? 0 : this.#entry.timeNs / 1e6 + this.#shiftMs;
    }
    #nowMs() {
        return this.#isOver ? this.#clockMs + this.#real.nowMs() - this.#overRealMs : this.#clockMs;
    }
    #keepPace() {
        this.#paceRealMs = this.#real.nowMs();
        this.#paceMs = this.#clockMs;
    }
}
const UNKNOWN = { host: "0.0.0.0", port: 0, family: "ipv4" };
const NOBODY = {
    opened() { },
    received() { },
    ended() { },
    drained() { },
    closed() { },
};
/** A handler that throws must not end the replay. */
function protect(call) {
    try {
        call();
    }
    catch (error) {
        queueMicrotask(() => {
            throw error;
        });
    }
}
function sleep(delayMs) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, delayMs);
}
function addressOf(value) {
    const { host, port, family } = (value ?? {});
    const isFamily = family === "ipv4" || family === "ipv6" || family === "unix";
    return typeof host === "string" && typeof port === "number" && isFamily
        ? { host, port, family }
        : undefined;
}
/** The name in a recorded URL, which the replay takes for an address. */
function hostOf(url) {
    return typeof url === "string" && URL.canParse(url) ? new URL(url).hostname : undefined;
}
function errorOf(facts) {
    if (typeof facts.code !== "string")
        return undefined;
    const code = ERROR_CODES.find((known) => known === facts.code) ?? "ERR_SYSTEM";
    return new RingwireError(code, String(facts.message));
}
