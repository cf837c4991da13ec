/**
 * The one thing of a WebSocket that cannot be the same twice: a client proves with a random key that the server has
 * read its request (RFC 6455 §4.1), so the recorded answer fits the recorded key only. Here the proof is made out anew for
 * the key of the client that replays. A recorded proof that was wrong stays wrong. Other protocols pass untouched.
 */
import { acceptInput } from "../protocol/upgrade.js";
const MAX_HEAD_BYTES = 64 << 10;
const HEAD_END = "\r\n\r\n";
const KEY = /^sec-websocket-key:[ \t]*([A-Za-z0-9+/]{22}==)[ \t]*\r$/im;
/** Gathers an HTTP head, byte by byte as it comes. */
class Head {
    text = "";
    isComplete = false;
    add(bytes, start, end) {
        if (this.isComplete)
            return;
        for (let at = start; at < end; at++)
            this.text += String.fromCharCode(bytes[at]);
        this.isComplete = this.text.includes(HEAD_END) || this.text.length > MAX_HEAD_BYTES;
    }
}
/** The opening handshake of one replayed client. */
export class HandshakeKey {
    #recorded = new Head();
    #sent = new Head();
    #answer = new Head();
    #sha1Base64;
    constructor(sha1Base64) {
        this.#sha1Base64 = sha1Base64;
    }
    /** What the client sent when it was recorded. */
    recorded(bytes) {
        this.#recorded.add(bytes, 0, bytes.length);
    }
    /** What it sends now. */
    sent(bytes, start, end) {
        this.#sent.add(bytes, start, end);
    }
    /** What it gets of a recorded read: undefined while the answer's head is incomplete. `isDone` then is true. */
    received(bytes) {
        this.#answer.add(bytes, 0, bytes.length);
        return this.#answer.isComplete ? this.rest() : undefined;
    }
    /** Nothing of the answer is awaited any more. */
    get isDone() {
        return this.#answer.isComplete;
    }
    /** What has been held back. */
    rest() {
        this.#answer.isComplete = true;
        const then = this.#acceptOf(this.#recorded.text);
        const now = this.#acceptOf(this.#sent.text);
        const { text } = this.#answer;
        const changed = then === undefined || now === undefined ? text : text.replace(then, now);
        return Uint8Array.from(changed, (character) => character.charCodeAt(0));
    }
    #acceptOf(request) {
        const key = KEY.exec(request)?.[1];
        return key === undefined ? undefined : this.#sha1Base64(acceptInput(key));
    }
}
