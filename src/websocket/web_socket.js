/**
 * The WHATWG `WebSocket` class, for programs written against browsers and the runtimes' own.
 */
import { checkKnown } from "../options.js";
import { withoutUser } from "../protocol/url.js";
import { refuseTls } from "../stream/route.js";
import { connect } from "./client.js";
import { CloseEvent } from "./close_event.js";
const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;
const MAX_REASON_BYTES = 123;
const SCHEMES = ["ws:", "wss:", "ws+unix:", "wss+unix:"];
const encoder = new TextEncoder();
/**
 * A WebSocket client as the WHATWG standard has it. `binaryType` is `"blob"` at first, as there.
 *
 * @example
 * ```ts
 * import { serve, WebSocket } from "ringwire";
 *
 * const server = await serve({ port: 0, websocket: { message: (ws, data) => void ws.send(data) } });
 * const ws = new WebSocket(server.url);
 * ws.onopen = () => ws.send("hello");
 * ws.onmessage = (event) => {
 *   console.log(event.data);
 *   ws.close();
 * };
 * await new Promise((resolve) => ws.addEventListener("close", resolve));
 * await server.stop();
 * ```
 *
 * @see {@link https://websockets.spec.whatwg.org/ | WHATWG WebSockets}
 */
export class WebSocket extends EventTarget {
    /** Not open yet. */
    static CONNECTING = 0;
    /** Open. */
    static OPEN = 1;
    /** The closing handshake is under way. */
    static CLOSING = 2;
    /** Closed, or never opened. */
    static CLOSED = 3;
    /** Not open yet. */
    CONNECTING = 0;
    /** Open. */
    OPEN = 1;
    /** The closing handshake is under way. */
    CLOSING = 2;
    /** Closed, or never opened. */
    CLOSED = 3;
    /** The URL, normalised. */
    url;
    #abort = new AbortController();
    #listeners = new Map();
    #state = CONNECTING;
    #socket = undefined;
    #binaryType = "blob";
    /** Bytes of sends after closing began: the standard counts them for ever. */
    #unsentBytes = 0;
    /** Blobs are read asynchronously; what is sent behind one waits for it. Undefined: nothing waits. */
    #blobs = undefined;
    #blobBytes = 0;
    #blobsWaiting = 0;
    /**
     * Starts connecting. `open`, or `error` and `close`, will tell.
     *
     * @param url - `ws:`, `wss:`, `http:` or `https:`, absolute.
     * @param protocols - Subprotocols to offer, or {@linkcode WebSocketInit}.
     * @throws DOMException `SyntaxError` for a bad URL or subprotocol.
     * @throws TypeError for unknown options, and for `tls` with a URL that asks for none.
     */
    constructor(url, protocols = []) {
        super();
        const init = typeof protocols === "string" || Array.isArray(protocols)
            ? { protocols: protocols }
            : protocols;
        checkKnown("WebSocket", init, ["protocols", "headers", "compression", "tls", "loop"]);
        this.url = normalize(url);
        const offered = typeof init.protocols === "string" ? [init.protocols] : [...(init.protocols ?? [])];
        if (new Set(offered).size !== offered.length || !offered.every(isProtocol)) {
            throw new DOMException(`Cannot offer the subprotocols ${JSON.stringify(offered)}`, "SyntaxError");
        }
        if (!this.url.startsWith("wss"))
            refuseTls(init.tls);
        connect(this.url, {
            protocols: offered,
            ...(init.headers === undefined ? {} : { headers: init.headers }),
            ...(init.tls === undefined ? {} : { tls: init.tls }),
            ...(init.loop === undefined ? {} : { loop: init.loop }),
            signal: this.#abort.signal,
            websocket: {
                whenFull: "close",
                ...(init.compression === undefined ? {} : { compression: init.compression }),
                open: (socket) => this.#opened(socket, offered),
                message: (_socket, data) => this.#received(data),
                close: (_socket, code, reason, wasClean) => this.#closed(code, reason, wasClean),
            },
        }).catch(() => this.#closed(1006, "", false));
    }
    /** 0 CONNECTING, 1 OPEN, 2 CLOSING, 3 CLOSED. */
    get readyState() {
        return this.#state === OPEN && this.#socket?.state === "closing" ? CLOSING : this.#state;
    }
    /** The subprotocol the server chose, or "". */
    get protocol() {
        return this.#socket?.protocol ?? "";
    }
    /** The extensions agreed on, such as `permessage-deflate`, or "". */
    get extensions() {
        return this.#socket?.extensions ?? "";
    }
    /** Bytes given to `send` that have not left yet. */
    get bufferedAmount() {
        const queued = this.#state === CLOSED ? 0 : (this.#socket?.bufferedAmount ?? 0);
        return queued + this.#blobBytes + this.#unsentBytes;
    }
    /** What binary messages become. Values other than these two are ignored, as the standard has it. */
    get binaryType() {
        return this.#binaryType;
    }
    set binaryType(value) {
        if (value === "blob" || value === "arraybuffer")
            this.#binaryType = value;
    }
    /** Handler of `open`. */
    get onopen() {
        return this.#listener("open");
    }
    set onopen(listener) {
        this.#listen("open", listener);
    }
    /** Handler of `message`. */
    get onmessage() {
        return this.#listener("message");
    }
    set onmessage(listener) {
        this.#listen("message", listener);
    }
    /** Handler of `error`. */
    get onerror() {
        return this.#listener("error");
    }
    set onerror(listener) {
        this.#listen("error", listener);
    }
    /** Handler of `close`. */
    get onclose() {
        return this.#listener("close");
    }
    set onclose(listener) {
        this.#listen("close", listener);
    }
    /**
     * Sends a message.
     *
     * @throws DOMException `InvalidStateError` while connecting.
     */
    send(data) {
        if (this.#state === CONNECTING) {
            throw new DOMException("Cannot send: the WebSocket is still connecting", "InvalidStateError");
        }
        if (this.readyState !== OPEN) {
            this.#unsentBytes += sizeOf(data);
        }
        else if (data instanceof Blob || this.#blobs !== undefined) {
            this.#sendLater(data);
        }
        else {
            this.#sendNow(data);
        }
    }
    /**
     * Begins the closing handshake.
     *
     * @param code - 1000 or 3000 to 4999.
     * @param reason - At most 123 bytes of UTF-8.
     * @throws DOMException `InvalidAccessError` for another code, `SyntaxError` for a longer reason.
     */
    close(code, reason = "") {
        if (code !== undefined && code !== 1000 && !(Number.isInteger(code) && code >= 3000 && code <= 4999)) {
            throw new DOMException(`Cannot close with code ${code}: use 1000, or 3000 to 4999`, "InvalidAccessError");
        }
        if (encoder.encode(reason).length > MAX_REASON_BYTES) {
            throw new DOMException("Cannot close with a reason of more than 123 bytes", "SyntaxError");
        }
        if (this.#state === CONNECTING) {
            this.#state = CLOSING;
            this.#abort.abort();
        }
        else if (this.#state === OPEN) {
            this.#state = CLOSING;
            const socket = this.#socket;
            // What waits behind a Blob was sent before: it goes first.
            if (this.#blobs === undefined)
                socket.close(code, reason);
            else
                this.#blobs = this.#blobs.then(() => socket.close(code, reason));
        }
    }
    #opened(socket, offered) {
        if (this.#state !== CONNECTING) {
            socket.terminate();
            return;
        }
        // The standard fails a connection whose server chose none of the subprotocols that were asked for.
        if (offered.length > 0 && socket.protocol === "") {
            socket.terminate();
            return;
        }
        this.#socket = socket;
        this.#state = OPEN;
        this.#fire(new Event("open"));
    }
    #received(data) {
        if (this.readyState !== OPEN)
            return;
        const bytes = typeof data === "string" ? undefined : exactBuffer(data);
        const value = bytes === undefined ? data : this.#binaryType === "blob" ? new Blob([bytes]) : bytes;
        this.#fire(new MessageEvent("message", { data: value, origin: new URL(this.url).origin }));
    }
    #closed(code, reason, wasClean) {
        if (this.#state === CLOSED)
            return;
        const neverOpened = this.#socket === undefined;
        this.#state = CLOSED;
        if (!wasClean || neverOpened)
            this.#fire(new Event("error"));
        this.#fire(new CloseEvent("close", wasClean && !neverOpened ? { code, reason, wasClean } : { code: 1006 }));
    }
    /** A listener that throws is the program's affair: EventTarget reports it and the connection lives on. */
    #fire(event) {
        this.dispatchEvent(event);
    }
    #sendNow(data) {
        // With `whenFull: "close"` a full queue breaks the connection, as the standard asks for.
        if (this.#socket?.send(data) === "dropped")
            this.#unsentBytes += sizeOf(data);
    }
    #sendLater(data) {
        const size = sizeOf(data);
        // The caller may change its bytes right after send().
        const kept = data instanceof Blob ? data : new Blob([data]);
        this.#blobBytes += size;
        this.#blobs = this.#sendAfter(this.#blobs, data, kept, size);
    }
    async #sendAfter(before, data, kept, size) {
        this.#blobsWaiting++;
        await before;
        const content = typeof data === "string" ? data : await kept.arrayBuffer();
        this.#blobBytes -= size;
        this.#sendNow(content);
        if (--this.#blobsWaiting === 0)
            this.#blobs = undefined;
    }
    #listener(type) {
        return this.#listeners.get(type)?.given ?? null;
    }
    #listen(type, listener) {
        const old = this.#listeners.get(type);
        if (old !== undefined)
            this.removeEventListener(type, old.wrapped);
        this.#listeners.delete(type);
        if (typeof listener !== "function")
            return;
        const wrapped = (event) => {
            listener.call(this, event);
        };
        this.#listeners.set(type, { given: listener, wrapped });
        this.addEventListener(type, wrapped);
    }
}
/** The URL with ws: for http:, and what is wrong with it as the standard's exception. */
function normalize(url) {
    const shown = withoutUser(String(url));
    let parsed;
    try {
        parsed = new URL(url);
    }
    catch {
        throw new DOMException(`Cannot connect to "${shown}": it is not a URL`, "SyntaxError");
    }
    if (parsed.protocol === "http:" || parsed.protocol === "https:") {
        parsed = new URL(parsed.href.replace("http", "ws"));
    }
    if (!SCHEMES.includes(parsed.protocol)) {
        throw new DOMException(`Cannot connect to "${shown}": its scheme is not ws or wss`, "SyntaxError");
    }
    if (parsed.hash !== "" || parsed.href.endsWith("#")) {
        throw new DOMException(`Cannot connect to "${shown}": a WebSocket URL has no fragment`, "SyntaxError");
    }
    return parsed.href;
}
function isProtocol(protocol) {
    return /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(protocol);
}
function sizeOf(data) {
    if (typeof data === "string")
        return encoder.encode(data).length;
    return data instanceof Blob ? data.size : data.byteLength;
}
/** A buffer that holds these bytes and nothing else. */
function exactBuffer(bytes) {
    const { buffer, byteOffset, byteLength } = bytes;
    const isExact = byteOffset === 0 && byteLength === buffer.byteLength && buffer instanceof ArrayBuffer;
    return isExact ? buffer : bytes.slice().buffer;
}
