/**
 * Reads a recording, record by record, and says where it is damaged. Synchronous: a file is read for replay or
 * inspection, not while sockets wait.
 */
import { RingwireError } from "../errors.js";
import { openInput } from "../runtime/files.js";
import { HEADER_BYTES, isIntact, kindName, MAGIC, readHeader, } from "./record_format.js";
const WINDOW_BYTES = 4 << 20;
const decoder = new TextDecoder();
/**
 * A recording, to be read from its beginning.
 *
 * @example
 * ```ts
 * import { Recording } from "ringwire/record";
 *
 * function count(path: string): number {
 *   using recording = new Recording(path);
 *   let records = 0;
 *   for (const { kind } of recording) if (kind === "in") records++;
 *   if (recording.problems.length > 0) console.warn(recording.problems);
 *   return records;
 * }
 * console.log(typeof count);
 * ```
 */
export class Recording {
    /** The file's path. */
    path;
    /** Length of the file, bytes. */
    sizeBytes;
    /** What is damaged, as far as the file has been read; see {@linkcode RecordingProblem}. */
    problems = [];
    #file;
    #window;
    #view;
    #header = { kind: 0, connection: 0, payloadBytes: 0, timeNs: 0, payloadCrc: 0 };
    /** The window holds `[#windowAt, #windowAt + #windowBytes)` of the file. */
    #windowAt = 0;
    #windowBytes = 0;
    #at = MAGIC.length;
    #isClosed = false;
    /**
     * Opens a file.
     *
     * @throws RingwireError `ERR_RECORDING` when it cannot be read or is no recording.
     */
    constructor(path, file = openInput(path)) {
        this.path = path;
        this.#file = file;
        this.sizeBytes = file.sizeBytes;
        // A record fits the window, whatever lies before it.
        this.#window = new Uint8Array(Math.min(WINDOW_BYTES, Math.max(this.sizeBytes, MAGIC.length)));
        this.#view = new DataView(this.#window.buffer);
        const magic = new Uint8Array(MAGIC.length);
        const count = file.read(magic, 0);
        const fits = (length) => MAGIC.subarray(0, length).every((byte, at) => byte === magic[at]);
        if (count === MAGIC.length && fits(count))
            return;
        file.close();
        const isNewer = count === MAGIC.length && fits(MAGIC.length - 1);
        const why = isNewer
            ? `its version is ${magic[MAGIC.length - 1]}, ours 1`
            : "it is no recording of Ringwire";
        throw new RingwireError("ERR_RECORDING", `Cannot read "${path}": ${why}`);
    }
    /** Where the last record that was read ends, bytes: what lies behind it is damaged or not read yet. */
    get readBytes() {
        return this.#at;
    }
    /** The next record, or undefined at the end. Its payload is a view that the next call overwrites. @throws RingwireError `ERR_NOT_OPEN` when closed. */
    next() {
        if (this.#isClosed)
            throw new RingwireError("ERR_NOT_OPEN", `Cannot read "${this.path}": it is closed`);
        if (this.#at === this.sizeBytes)
            return undefined;
        const isWhole = this.#isHeaderAt(this.#at) && this.#isPayloadIntact(this.#at);
        if (!isWhole && !this.#skipDamage())
            return undefined;
        const { kind, connection, timeNs, payloadBytes } = this.#header;
        const offset = this.#at;
        const start = offset - this.#windowAt + HEADER_BYTES;
        this.#at = offset + HEADER_BYTES + payloadBytes;
        return new Entry(kind, connection, timeNs, offset, this.#window.subarray(start, start + payloadBytes));
    }
    /** All records from here on. */
    *[Symbol.iterator]() {
        for (let entry = this.next(); entry !== undefined; entry = this.next())
            yield entry;
    }
    /** Closes the file. Idempotent. */
    close() {
        if (this.#isClosed)
            return;
        this.#isClosed = true;
        this.#file.close();
    }
    /** Same as {@linkcode Recording.close}. */
    [Symbol.dispose]() {
        this.close();
    }
    /** Whether an undamaged header begins there, and its whole payload is in the file. Reads the header. */
    #isHeaderAt(at) {
        if (!this.#holds(at, HEADER_BYTES) || !readHeader(this.#view, at - this.#windowAt, this.#header))
            return false;
        return this.#holds(at, HEADER_BYTES + this.#header.payloadBytes);
    }
    #isPayloadIntact(at) {
        return isIntact(this.#window, at - this.#windowAt + HEADER_BYTES, this.#header);
    }
    /** Looks for the next record behind damage, and notes the damage. False: there is none, the file ends torn. */
    #skipDamage() {
        const from = this.#at;
        let at = from;
        while (at + HEADER_BYTES <= this.sizeBytes) {
            if (!this.#isHeaderAt(at))
                at++;
            else if (this.#isPayloadIntact(at)) {
                this.problems.push({ kind: "corrupt", offset: from, sizeBytes: at - from });
                this.#at = at;
                return true;
            }
            // Its length is to be trusted, so nothing is looked at twice.
            else
                at += HEADER_BYTES + this.#header.payloadBytes;
        }
        // Once: whoever asks again is told that there is nothing.
        if (this.problems.at(-1)?.offset !== from) {
            this.problems.push({ kind: "torn", offset: from, sizeBytes: this.sizeBytes - from });
        }
        return false;
    }
    /** Makes the window hold `count` bytes from `at` on. False: the file has not so many. */
    #holds(at, count) {
        if (at + count > this.sizeBytes)
            return false;
        if (at >= this.#windowAt && at + count <= this.#windowAt + this.#windowBytes)
            return true;
        this.#windowAt = at;
        this.#windowBytes = this.#file.read(this.#window, at);
        return count <= this.#windowBytes;
    }
}
class Entry {
    kind;
    connection;
    timeNs;
    offset;
    payload;
    constructor(kind, connection, timeNs, offset, payload) {
        this.kind = kindName(kind);
        this.connection = connection;
        this.timeNs = timeNs;
        this.offset = offset;
        this.payload = payload;
    }
    facts() {
        if (this.payload.length === 0)
            return {};
        try {
            const value = JSON.parse(decoder.decode(this.payload));
            return typeof value === "object" && value !== null ? value : {};
        }
        catch {
            return {};
        }
    }
}
