/**
 * The sending half of a socket: encodes frames straight into the transport's memory, masks them when we are
 * the client, and splits what is too large for one frame or one reservation.
 */
import { copyBytes } from "../protocol/copy_bytes.js";
import { frameHeaderBytes, MAX_HEADER_BYTES, writeFrameHeader } from "../protocol/frame_encoder.js";
import { copyMasked } from "../protocol/mask.js";
import { OPCODE_CLOSE, OPCODE_CONTINUATION, OPCODE_TEXT } from "../protocol/opcode.js";
import { utf8Bound, writeUtf8 } from "../protocol/text.js";
const FIN = 0x80;
/** RSV1: the message is compressed (RFC 7692 §6). */
const COMPRESSED = 0x40;
/** Payloads that one reservation cannot hold go in pieces of this size: a multiple of 4 keeps the mask in phase. */
const PIECE_BYTES = 65_536 - 16;
/** Up to this many bytes a loop over words beats `copyWithin` followed by masking. */
const LOOP_TO_BYTES = 256;
const EMPTY = new Uint8Array(0);
const encoder = new TextEncoder();
/** Writes frames to one connection. */
export class FrameSender {
    #connection;
    #kernels;
    /** Undefined on servers, which never mask (RFC 6455 §5.1). */
    #maskKeys;
    #masked;
    #fragmentBytes;
    #counters;
    /** Up to this many bytes a message leaves in one frame and one reservation. */
    #wholeBytes;
    /** @param maskKeys - Undefined with `masked`: key zero. */
    constructor(connection, kernels, masked, maskKeys, fragmentBytes, counters) {
        this.#connection = connection;
        this.#kernels = kernels;
        this.#masked = masked;
        this.#maskKeys = maskKeys;
        this.#counters = counters;
        this.#fragmentBytes = fragmentBytes === 0 ? Number.MAX_SAFE_INTEGER : fragmentBytes;
        this.#wholeBytes = Math.min(this.#fragmentBytes, connection.maxReserveBytes - MAX_HEADER_BYTES);
    }
    /**
     * Sends a message or control frame whose payload is `bytes[start, end)`.
     *
     * @param oldKey - What the bytes are still masked with; they stay as they are. 0: nothing.
     */
    bytes(opcode, bytes, start = 0, end = bytes.length, oldKey = 0) {
        const size = end - start;
        // Control frames are never fragmented (RFC 6455 §5.5), however small fragmentBytes is.
        if (size > this.#wholeBytes && opcode < OPCODE_CLOSE) {
            this.#large(opcode, bytes, start, end, oldKey);
            return;
        }
        const connection = this.#connection;
        const at = connection.reserve(size + MAX_HEADER_BYTES);
        const out = connection.out;
        const newKey = this.#nextKey();
        let payload = at + 2;
        if (size < 126 && !this.#masked) {
            out[at] = opcode | FIN;
            out[at + 1] = size;
        }
        else {
            payload = writeFrameHeader(out, at, opcode | FIN, size, this.#masked, newKey);
        }
        // Off with the old mask and on with the new one is one XOR.
        const key = oldKey ^ newKey;
        // What was received over io_uring and is forwarded lies in the same block.
        if (bytes === out && size <= LOOP_TO_BYTES) {
            copyMasked(out, this.#kernels.viewOf(out), start, end, payload, key);
        }
        else {
            if (bytes === out)
                out.copyWithin(payload, start, end);
            else
                copyBytes(bytes, start, end, out, payload);
            if (key !== 0)
                this.#kernels.unmask(out, payload, payload + size, key >>> 0);
        }
        connection.commit(payload + size);
        this.#counters.bytesSent += payload + size - at;
    }
    /** Sends a message whose payload is compressed. Only its first fragment says so (RFC 7692 §6.1). */
    compressed(opcode, bytes, start, end) {
        const first = opcode | COMPRESSED;
        if (end - start <= this.#wholeBytes)
            this.bytes(first, bytes, start, end);
        else
            this.#large(first, bytes, start, end, 0);
    }
    /** Sends a text message. */
    text(text) {
        const connection = this.#connection;
        const bound = utf8Bound(text) + MAX_HEADER_BYTES;
        if (bound > connection.maxReserveBytes || bound > this.#fragmentBytes) {
            this.bytes(OPCODE_TEXT, encoder.encode(text));
            return;
        }
        const at = connection.reserve(bound);
        const out = connection.out;
        // Room for the header is guessed as if the text were ASCII; a wrong guess moves the payload.
        const guess = at + frameHeaderBytes(text.length, this.#masked);
        let end = writeUtf8(text, out, guess);
        const size = end - guess;
        const key = this.#nextKey();
        const payload = at + frameHeaderBytes(size, this.#masked);
        if (payload !== guess) {
            out.copyWithin(payload, guess, end);
            end = payload + size;
        }
        writeFrameHeader(out, at, OPCODE_TEXT | FIN, size, this.#masked, key);
        if (key !== 0)
            this.#kernels.unmask(out, payload, end, key);
        connection.commit(end);
        this.#counters.bytesSent += end - at;
    }
    /** Sends a Close frame; code 1005 stands for an empty one (RFC 6455 §7.1.5). */
    close(code, reason) {
        if (code === 1005) {
            this.bytes(OPCODE_CLOSE, EMPTY);
            return;
        }
        const payload = new Uint8Array(2 + utf8Bound(reason));
        payload[0] = code >>> 8;
        payload[1] = code & 0xff;
        this.bytes(OPCODE_CLOSE, payload, 0, writeUtf8(reason, payload, 2));
    }
    #nextKey() {
        return this.#maskKeys === undefined ? 0 : this.#maskKeys.next();
    }
    #large(opcode, bytes, start, end, oldKey) {
        if (oldKey !== 0) {
            const plain = bytes.slice(start, end);
            this.#kernels.unmask(plain, 0, plain.length, oldKey >>> 0);
            this.#large(opcode, plain, 0, plain.length, 0);
            return;
        }
        let from = start;
        let first = opcode;
        do {
            const to = Math.min(end, from + this.#fragmentBytes);
            this.#pieces(first | (to === end ? FIN : 0), bytes, from, to);
            first = OPCODE_CONTINUATION;
            from = to;
        } while (from < end);
    }
    /** One frame in several reservations. */
    #pieces(firstByte, bytes, start, end) {
        const connection = this.#connection;
        const key = this.#nextKey();
        const header = connection.reserve(MAX_HEADER_BYTES);
        const headerEnd = writeFrameHeader(connection.out, header, firstByte, end - start, this.#masked, key);
        connection.commit(headerEnd);
        this.#counters.bytesSent += headerEnd - header + (end - start);
        for (let from = start; from < end; from += PIECE_BYTES) {
            const to = Math.min(end, from + PIECE_BYTES);
            const at = connection.reserve(to - from);
            connection.out.set(bytes.subarray(from, to), at);
            if (key !== 0)
                this.#kernels.unmask(connection.out, at, at + (to - from), key);
            connection.commit(at + (to - from));
        }
    }
}
