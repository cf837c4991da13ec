/**
 * Collects a message that does not come in one piece: in a buffer that grows with the bytes that really arrive,
 * and with its UTF-8 checked as they do.
 */
import { copyBytes } from "./copy_bytes.js";
import { OPCODE_CONTINUATION, OPCODE_TEXT } from "./opcode.js";
import { Utf8Stream } from "./utf8.js";
/** First buffer of a message, unless the message is smaller or more of it has come already. */
const FIRST_BUFFER_BYTES = 512;
const EMPTY = new Uint8Array(0);
/** One message after the other, each in a buffer of its own. */
export class MessageBuffer {
    /** OPCODE_TEXT or OPCODE_BINARY while a message is open. */
    opcode;
    /** Frames of the open message so far. */
    fragments;
    /** The bytes so far are `bytes[0, sizeBytes)`. */
    bytes;
    sizeBytes;
    #text;
    constructor(kernels) {
        this.opcode = OPCODE_CONTINUATION;
        this.fragments = 0;
        this.bytes = EMPTY;
        this.sizeBytes = 0;
        this.#text = new Utf8Stream(kernels);
    }
    /** Begins a message. */
    open(opcode) {
        this.opcode = opcode;
        this.#text.reset();
    }
    /** Whether the message could end here, which a text inside a UTF-8 sequence cannot. */
    get canEnd() {
        return this.#text.complete;
    }
    /**
     * Adds `input[start, end)`.
     *
     * @param limitBytes - What the message can still become, at most.
     * @returns false when it is a text and cannot be UTF-8 any more.
     */
    append(input, start, end, limitBytes) {
        if (start === end)
            return true;
        if (this.opcode === OPCODE_TEXT && !this.#text.push(input, start, end))
            return false;
        const needed = this.sizeBytes + (end - start);
        if (needed > this.bytes.length)
            this.#grow(needed, limitBytes);
        copyBytes(input, start, end, this.bytes, this.sizeBytes);
        this.sizeBytes = needed;
        return true;
    }
    /**
     * Makes room for `needed` bytes, all of which have arrived. Twice that, so that copying stays linear, but
     * never more than the message can still become; a declared length alone moves nothing.
     */
    #grow(needed, limitBytes) {
        const grown = new Uint8Array(Math.min(limitBytes, Math.max(needed * 2, FIRST_BUFFER_BYTES)));
        copyBytes(this.bytes, 0, this.sizeBytes, grown, 0);
        this.bytes = grown;
    }
    /** Ends the message, or gives it up. Its buffer is not touched again. */
    release() {
        this.opcode = OPCODE_CONTINUATION;
        this.fragments = 0;
        this.bytes = EMPTY;
        this.sizeBytes = 0;
    }
}
