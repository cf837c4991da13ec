/** `Recorder`: writes what connections receive and send into a file. */
import { checkKnown, readNumbers } from "../options.js";
import { BLOCK_BYTES, RecordWriter } from "./record_writer.js";
const NUMBERS = {
    maxBufferedBytes: { default: 16 << 20, min: 512 << 10, max: 1 << 30 },
    flushMs: { default: 100, min: 1, max: 60_000 },
};
let writerOf;
/**
 * Records connections into a file, both directions, as the bytes are behind TLS. Any number of connections may share one. It never waits
 * for the disk; see {@linkcode RecorderOptions.maxBufferedBytes} for what happens when that is slow. A thread that never returns to its
 * event loop (`drive: "run"`) never gets anything written.
 *
 * Recordings hold what was sent, passwords and tokens included: the file is made readable for its owner only.
 *
 * @example
 * ```ts
 * import { connect, serve } from "ringwire";
 * import { Recorder } from "ringwire/record";
 *
 * const server = await serve({ port: 0, websocket: { message: (ws, data) => void ws.send(data) } });
 * async function record(path: string): Promise<void> {
 *   await using recorder = new Recorder(path);
 *   await using socket = await connect(server.url, { record: recorder });
 *   socket.send("hello");
 * }
 * console.log(typeof record);
 * await server.stop();
 * ```
 */
export class Recorder {
    /** The file's path. */
    path;
    #writer;
    #closing = undefined;
    static {
        writerOf = (recorder) => recorder.#writer;
    }
    /**
     * Makes the file. A recording that is there already is gone on with, after it was read through; what a crash has left at its end is cut off.
     *
     * @param path - Ends in `.rwr` by custom.
     * @throws RingwireError `ERR_RECORDING` when the file cannot be written, or is something else than a recording.
     * @throws TypeError, RangeError for unknown options and values out of range.
     */
    constructor(path, options = {}) {
        if (typeof path !== "string")
            throw new TypeError(`Cannot record to ${typeof path}: give a path`);
        checkKnown("Recorder", options, [...Object.keys(NUMBERS), "error"]);
        const { maxBufferedBytes, flushMs } = readNumbers("Recorder", options, NUMBERS);
        this.path = path;
        const failed = options.error ?? ((error) => console.error(`ringwire: ${error.message}`));
        this.#writer = new RecordWriter(path, Math.floor(maxBufferedBytes / BLOCK_BYTES), flushMs, failed);
    }
    /** Counters since it was made. */
    get stats() {
        return this.#writer.stats;
    }
    /** Why nothing more is recorded; undefined while all is well. */
    get failure() {
        return this.#writer.failure;
    }
    /** Resolves when everything recorded so far is in the file. @throws RingwireError `ERR_RECORDING` when it cannot be written. */
    flush() {
        return this.#writer.flush();
    }
    /**
     * Writes what is left, waits until the device has it (fsync), and closes the file. Connections that are still open go on without being recorded.
     * Idempotent.
     *
     * @throws RingwireError `ERR_RECORDING` when it cannot be written.
     */
    close() {
        this.#closing ??= this.#writer.sync().finally(() => this.#writer.close());
        return this.#closing;
    }
    /** Same as {@linkcode Recorder.close}. */
    [Symbol.asyncDispose]() {
        return this.close();
    }
}
export { writerOf };
const shared = new Map();
/** Takes the recorder of a path until the returned function is called. */
export function shareRecorder(path) {
    let entry = shared.get(path);
    if (entry === undefined) {
        entry = { recorder: new Recorder(path), users: 0 };
        shared.set(path, entry);
    }
    const { recorder } = entry;
    entry.users++;
    return { writer: writerOf(recorder), release: () => release(path, entry) };
}
async function release(path, entry) {
    if (--entry.users > 0)
        return;
    // Somebody may come back meanwhile: two recorders of one file would write over each other.
    await writerOf(entry.recorder)
        .sync()
        .catch(() => {
        // It was told when it happened.
    });
    if (entry.users > 0 || shared.get(path) !== entry)
        return;
    shared.delete(path);
    writerOf(entry.recorder).close();
}
