/**
 * One received message that its owner keeps.
 */
import { readUtf8 } from "../protocol/text.js";
const encoder = new TextEncoder();
/**
 * A received message, as `for await` gives it.
 *
 * @example
 * ```ts
 * import { connect, serve } from "ringwire";
 *
 * const server = await serve({ port: 0, websocket: { open: (ws) => void ws.send("hello") } });
 * await using socket = await connect(server.url);
 * for await (const message of socket) {
 *   console.log(message.text());
 *   break;
 * }
 * await server.stop();
 * ```
 */
export class Message {
    /** Whether it came as a text message; else binary. */
    isText;
    /** Monotonic time at which the read that brought it was handled, nanoseconds. */
    receivedNs;
    #value;
    /**
     * Sockets make messages; programs need this only in their own tests.
     *
     * @param value - The content: a string, or UTF-8 bytes, or binary bytes.
     * @param isText - Whether it came as text.
     * @param receivedNs - Monotonic nanoseconds.
     */
    constructor(value, isText, receivedNs) {
        this.#value = value;
        this.isText = isText;
        this.receivedNs = receivedNs;
    }
    /** What the `message` handler would get: a string or bytes. */
    get value() {
        return this.#value;
    }
    /** The message as a string. @throws TypeError when it is binary and not UTF-8. */
    text() {
        if (typeof this.#value === "string")
            return this.#value;
        const text = readUtf8(this.#value, 0, this.#value.length);
        if (text === undefined)
            throw new TypeError("Cannot read a binary message as text: it is not UTF-8");
        return text;
    }
    /** The message as bytes: UTF-8 for text. */
    bytes() {
        return typeof this.#value === "string" ? encoder.encode(this.#value) : this.#value;
    }
    /** The message parsed as JSON. @throws SyntaxError when it is not JSON. */
    json() {
        return JSON.parse(this.text());
    }
}
