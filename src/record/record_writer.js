/**
 * A recorder from the inside: turns what taps see into records, keeps count of what found no room, and appends to
 * the file. `Recorder` is its face.
 */
import { copyBytes } from "../protocol/copy_bytes.js";
import { openOutput } from "../runtime/files.js";
import { BlockWriter } from "./block_writer.js";
import { HEADER_BYTES, KIND_CLOSED, KIND_IN, KIND_LOSS, KIND_OPEN, KIND_OUT, KIND_SESSION, MAGIC, writeHeader, } from "./record_format.js";
import { Recording } from "./recording.js";
/** Memory is taken and written in pieces of this size. */
export const BLOCK_BYTES = 256 << 10;
/** Longer reads and commits become several records. */
const PIECE_BYTES = 128 << 10;
/** At least as long as a loss record. */
const LOSS_BYTES = 256;
const EMPTY = new Uint8Array(0);
const encoder = new TextEncoder();
/** See the top of this file. */
export class RecordWriter {
    failure = undefined;
    #file;
    #blocks;
    #flushMs;
    #failed;
    #lossy = new Set();
    #lastConnection = 0;
    #records = 0;
    #bytes = 0;
    #lostRecords = 0;
    #lostBytes = 0;
    #flushTimer = undefined;
    /** The out record that is still growing, at `#runAt` of the current block. */
    #run = undefined;
    #runAt = 0;
    #runNs = 0;
    #isClosed = false;
    /**
     * Opens a file, or goes on with the recording that is there.
     *
     * @param failed - Told once when writing fails; nothing more is recorded then.
     * @throws RingwireError `ERR_RECORDING` when the file cannot be written, or is something else.
     */
    constructor(path, maxBlocks, flushMs, failed) {
        this.#flushMs = flushMs;
        this.#failed = failed;
        this.#file = openOutput(path);
        const position = this.#file.sizeBytes === 0 ? 0 : this.#goOn(path);
        this.#blocks = new BlockWriter(this.#file, position, BLOCK_BYTES, maxBlocks, () => this.#endRun(), (failure) => this.#freed(failure));
        if (position === 0) {
            this.#blocks.current.bytes.set(MAGIC);
            this.#blocks.current.used = MAGIC.length;
        }
        const monotonicNs = Math.round(performance.now() * 1e6);
        this.#put(KIND_SESSION, 0, monotonicNs, toJson({ wallMs: Date.now(), monotonicNs }));
    }
    get stats() {
        return {
            records: this.#records,
            bytes: this.#bytes,
            lostRecords: this.#lostRecords,
            lostBytes: this.#lostBytes,
            bufferedBytes: this.#blocks.bufferedBytes,
        };
    }
    /** A connection stands. */
    open(facts, timeNs) {
        const tap = {
            connection: ++this.#lastConnection,
            lost: { records: 0, inBytes: 0, outBytes: 0 },
            isLost: false,
            pendingClose: undefined,
        };
        tap.isLost = !this.note(tap, KIND_OPEN, timeNs, toJson(facts));
        return tap;
    }
    /** A record of one connection that carries none of its bytes. Returns whether it found room. */
    note(tap, kind, timeNs, payload = EMPTY) {
        if (this.#isClosed)
            return false;
        if (this.#settle(tap, payload.length) && this.#put(kind, tap.connection, timeNs, payload))
            return true;
        this.#lose(tap, 0, 0);
        return false;
    }
    /** One read. */
    received(tap, timeNs, bytes, start, end) {
        if (this.#isClosed)
            return;
        for (let from = start; from < end; from += PIECE_BYTES) {
            const to = Math.min(end, from + PIECE_BYTES);
            const isRoom = this.#settle(tap, to - from) && this.#put(KIND_IN, tap.connection, timeNs, bytes, from, to);
            if (!isRoom)
                this.#lose(tap, to - from, 0);
        }
    }
    /**
     * One commit. Those that follow one another on a connection grow one record, until `endRun` or anything else is recorded.
     *
     * @returns Whether a run has begun, for which `endRun` has to come at the end of the turn.
     */
    sent(tap, nowNs, bytes, start, end) {
        if (this.#isClosed)
            return false;
        const size = end - start;
        const { current } = this.#blocks;
        if (this.#run === tap &&
            current.used + size <= BLOCK_BYTES &&
            current.used + size - this.#runAt <= PIECE_BYTES) {
            copyBytes(bytes, start, end, current.bytes, current.used);
            current.used += size;
            return false;
        }
        this.#endRun();
        const timeNs = nowNs();
        let from = start;
        for (; end - from > PIECE_BYTES / 2; from += PIECE_BYTES / 2) {
            const to = from + PIECE_BYTES / 2;
            const isRoom = this.#settle(tap, to - from) && this.#put(KIND_OUT, tap.connection, timeNs, bytes, from, to);
            if (!isRoom)
                this.#lose(tap, 0, to - from);
        }
        if (!this.#settle(tap, end - from) || !this.#blocks.makeRoom(HEADER_BYTES + end - from)) {
            this.#lose(tap, 0, end - from);
            return false;
        }
        this.#beginRun(tap, timeNs, bytes, from, end);
        return true;
    }
    /** The connection is gone. */
    closed(tap, timeNs, error) {
        const payload = error === undefined ? EMPTY : toJson({ code: error.code, message: error.message });
        if (!this.note(tap, KIND_CLOSED, timeNs, payload))
            tap.pendingClose = payload;
    }
    /** What was committed in this turn is complete. */
    endRun() {
        this.#endRun();
    }
    /** Resolves when everything recorded so far is in the file. @throws RingwireError when it cannot be. */
    async flush() {
        clearTimeout(this.#flushTimer);
        this.#flushTimer = undefined;
        await this.#blocks.flush();
        if (this.#lossy.size > 0 && this.failure === undefined)
            await this.#blocks.flush();
        if (this.failure !== undefined)
            throw this.failure;
    }
    /** As `flush`, and the device has it (fsync). */
    async sync() {
        await this.flush();
        await this.#file.sync();
    }
    /** Ends at once; `sync` comes first. */
    close() {
        if (this.#isClosed)
            return;
        this.#isClosed = true;
        clearTimeout(this.#flushTimer);
        this.#file.close();
    }
    /** Finds the end of the recording that is there and cuts off what a crash has left. Returns where to append. */
    #goOn(path) {
        const recording = new Recording(path, this.#file);
        for (const { connection } of recording) {
            if (connection > this.#lastConnection)
                this.#lastConnection = connection;
        }
        if (recording.readBytes < this.#file.sizeBytes)
            this.#file.truncate(recording.readBytes);
        return recording.readBytes;
    }
    #put(kind, connection, timeNs, payload, start = 0, end = payload.length) {
        this.#endRun();
        const size = end - start;
        if (!this.#blocks.makeRoom(HEADER_BYTES + size))
            return false;
        const { current } = this.#blocks;
        const at = current.used;
        copyBytes(payload, start, end, current.bytes, at + HEADER_BYTES);
        writeHeader(current.bytes, current.view, at, kind, connection, size, timeNs);
        current.used = at + HEADER_BYTES + size;
        this.#count(HEADER_BYTES + size);
        return true;
    }
    #beginRun(tap, timeNs, bytes, start, end) {
        const { current } = this.#blocks;
        this.#run = tap;
        this.#runAt = current.used;
        this.#runNs = timeNs;
        copyBytes(bytes, start, end, current.bytes, this.#runAt + HEADER_BYTES);
        current.used = this.#runAt + HEADER_BYTES + end - start;
    }
    #endRun() {
        const tap = this.#run;
        if (tap === undefined)
            return;
        this.#run = undefined;
        const { bytes, view, used } = this.#blocks.current;
        const size = used - this.#runAt - HEADER_BYTES;
        writeHeader(bytes, view, this.#runAt, KIND_OUT, tap.connection, size, this.#runNs);
        this.#count(HEADER_BYTES + size);
    }
    #count(bytes) {
        this.#records++;
        this.#bytes += bytes;
        this.#flushTimer ??= setTimeout(() => {
            this.#flushTimer = undefined;
            // What fails is told to `#failed`.
            this.#blocks.flush();
        }, this.#flushMs);
    }
    #lose(tap, inBytes, outBytes) {
        tap.lost.records++;
        tap.lost.inBytes += inBytes;
        tap.lost.outBytes += outBytes;
        this.#lostRecords++;
        this.#lostBytes += inBytes + outBytes;
        if (this.failure === undefined)
            this.#lossy.add(tap);
    }
    /** Whether a connection can go on with a record of `sizeBytes`; what is missing of it is written down first. */
    #settle(tap, sizeBytes) {
        if (tap.isLost)
            return false;
        if (tap.lost.records === 0)
            return true;
        return this.#blocks.makeRoom(LOSS_BYTES + HEADER_BYTES + sizeBytes) && this.#noteLoss(tap);
    }
    /** Returns whether what was lost of a connection has been written down. */
    #noteLoss(tap) {
        const timeNs = Math.round(performance.now() * 1e6);
        if (!this.#put(KIND_LOSS, tap.connection, timeNs, toJson(tap.lost)))
            return false;
        tap.lost = { records: 0, inBytes: 0, outBytes: 0 };
        this.#lossy.delete(tap);
        const closed = tap.pendingClose;
        tap.pendingClose = undefined;
        if (closed !== undefined && !this.note(tap, KIND_CLOSED, timeNs, closed))
            tap.pendingClose = closed;
        return true;
    }
    #freed(failure) {
        if (failure !== undefined) {
            this.failure = failure;
            this.#lossy.clear();
            this.#failed(failure);
            return;
        }
        for (const tap of this.#lossy) {
            if (!this.#noteLoss(tap))
                break;
        }
    }
}
function toJson(value) {
    return encoder.encode(JSON.stringify(value));
}
