/**
 * All messages of one read, without an object per message: a list of numbers and one cursor, both reused.
 */
import { MessageList, RECORD_END, RECORD_KEY, RECORD_OPCODE, RECORD_START, RECORD_WORDS, } from "../protocol/message_list.js";
import { OPCODE_BINARY, OPCODE_TEXT } from "../protocol/opcode.js";
import { readUtf8 } from "../protocol/text.js";
const EMPTY = new Uint8Array(0);
let sendMessage;
/** {@link MessageBatch} over a list of numbers: filled by a socket's inbox, walked by its program. */
export class ReadBatch {
    static {
        sendMessage = (batch, outbox) => {
            const at = batch.#at();
            const { records } = batch.list;
            return outbox.bytes(records[at + RECORD_OPCODE] === OPCODE_TEXT ? OPCODE_TEXT : OPCODE_BINARY, batch.#bufferOf(at), records[at + RECORD_START], records[at + RECORD_END], records[at + RECORD_KEY]);
        };
    }
    /** The messages, oldest first; for the socket that fills the batch. */
    list = new MessageList();
    #kernels;
    #zeroCopy;
    #nowNs;
    /** Where the messages lie: nearly always in one read. */
    #buffer = EMPTY;
    /** By record: messages that were put together elsewhere because they came in several reads. */
    #others = undefined;
    #receivedNs = 0;
    #step;
    /** The record that the iteration stands at: a multiple of `RECORD_WORDS`. */
    #cursor = -RECORD_WORDS;
    /**
     * @param kernels - What unmasks: a binary message stays masked until somebody looks at it.
     * @param zeroCopy - Whether `bytes()` gives views instead of copies.
     * @param nowNs - The clock: monotonic nanoseconds.
     */
    constructor(kernels, zeroCopy, nowNs) {
        this.#kernels = kernels;
        this.#zeroCopy = zeroCopy;
        this.#nowNs = nowNs;
        this.#step = { done: false, value: this };
    }
    get receivedNs() {
        if (this.#receivedNs === 0)
            this.#receivedNs = this.#nowNs();
        return this.#receivedNs;
    }
    get count() {
        return this.list.count;
    }
    /** Whether the list can be filled with messages that lie in `bytes`. */
    isFor(bytes) {
        if (this.list.count === 0)
            this.#buffer = bytes;
        return bytes === this.#buffer;
    }
    /** Appends a message that is unmasked. */
    add(isText, bytes, start, end) {
        if (this.list.count === 0)
            this.#buffer = bytes;
        else if (bytes !== this.#buffer)
            this.#addBuffer(bytes);
        this.list.add(start, end, 0, isText ? OPCODE_TEXT : OPCODE_BINARY);
    }
    /** Says when the messages came, where that was before now. */
    stamp(receivedNs) {
        this.#receivedNs = receivedNs;
    }
    /** Empties the batch; for the socket that fills it. Lets go of the buffers. */
    clear() {
        this.#buffer = EMPTY;
        this.#others = undefined;
        this.#receivedNs = 0;
        this.list.count = 0;
        this.#cursor = -RECORD_WORDS;
    }
    /** Starts from the first message. One iteration at a time. */
    [Symbol.iterator]() {
        this.#cursor = -RECORD_WORDS;
        this.#step.done = false;
        return this;
    }
    /** Moves to the next message. */
    next() {
        this.#cursor += RECORD_WORDS;
        if (this.#cursor >= this.list.count * RECORD_WORDS)
            this.#step.done = true;
        return this.#step;
    }
    get isText() {
        return this.list.records[this.#at() + RECORD_OPCODE] === OPCODE_TEXT;
    }
    get sizeBytes() {
        const at = this.#at();
        return this.list.records[at + RECORD_END] - this.list.records[at + RECORD_START];
    }
    bytes() {
        const at = this.#at();
        const bytes = this.#unmasked(at);
        const start = this.list.records[at + RECORD_START];
        const end = this.list.records[at + RECORD_END];
        return this.#zeroCopy ? bytes.subarray(start, end) : bytes.slice(start, end);
    }
    text() {
        const at = this.#at();
        const bytes = this.#unmasked(at);
        const text = readUtf8(bytes, this.list.records[at + RECORD_START], this.list.records[at + RECORD_END]);
        if (text === undefined)
            throw new TypeError("Cannot read a binary message as text: it is not UTF-8");
        return text;
    }
    json() {
        return JSON.parse(this.text());
    }
    /** The record that the iteration stands at: outside of one there is none, and memory is others'. */
    #at() {
        const at = this.#cursor;
        if (at >= 0 && at < this.list.count * RECORD_WORDS)
            return at;
        throw new TypeError("Cannot use a message of a batch outside of its iteration, or after the batch handler has returned: take bytes() or text() there");
    }
    #addBuffer(bytes) {
        this.#others ??= new Map();
        this.#others.set(this.list.count * RECORD_WORDS, bytes);
    }
    #bufferOf(at) {
        return this.#others?.get(at) ?? this.#buffer;
    }
    /** The buffer of a message, which is plain from now on. */
    #unmasked(at) {
        const bytes = this.#bufferOf(at);
        const { records } = this.list;
        const key = records[at + RECORD_KEY];
        if (key === 0)
            return bytes;
        this.#kernels.unmask(bytes, records[at + RECORD_START], records[at + RECORD_END], key >>> 0);
        records[at + RECORD_KEY] = 0;
        return bytes;
    }
}
/** Sends the message that a batch's iteration stands at. For `Socket.send`, not for programs. */
export { sendMessage };
