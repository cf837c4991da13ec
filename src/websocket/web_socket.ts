/**
 * The WHATWG `WebSocket` class, for programs written against browsers and the runtimes' own.
 */

import type { Loop } from "../loop.ts";
import { type CompressionMode, type CompressionOptions, checkKnown } from "../options.ts";
import { parseWebSocketUrl, withoutUser } from "../protocol/url.ts";
import { refuseTls } from "../stream/route.ts";
import type { ClientTlsOptions } from "../tls_options.ts";
import { CloseEvent } from "./close_event.ts";
import { Connector } from "./connector.ts";
import type { Socket } from "./socket.ts";

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;
const MAX_REASON_BYTES = 123;
const SCHEMES: readonly string[] = ["ws:", "wss:", "ws+unix:", "wss+unix:"];
const encoder = new TextEncoder();

/** What `new WebSocket()` takes beyond the standard, instead of subprotocols. */
export interface WebSocketInit {
  /** Subprotocols to offer. */
  readonly protocols?: string | readonly string[];
  /** Fields for the request. */
  readonly headers?: Iterable<readonly [string, string]> | Readonly<Record<string, string>>;
  /** Whether and how permessage-deflate is offered. Browsers always do; here it is off unless asked for. @default "disabled" */
  readonly compression?: CompressionMode | CompressionOptions;
  /** Certificates and terms of TLS, for `wss:` and `https:` URLs. @default the server is verified by the system's authorities */
  readonly tls?: ClientTlsOptions;
  /** The loop to live on. */
  readonly loop?: Loop;
}

/** What a {@linkcode WebSocket} fires, by name. */
export interface WebSocketEvents {
  /** The handshake is done. */
  readonly open: Event;
  /** One message: `event.data` is a string, a Blob or an ArrayBuffer. */
  readonly message: MessageEvent;
  /** Something failed; `close` follows. */
  readonly error: Event;
  /** The connection is gone. */
  readonly close: CloseEvent;
}

/** A handler property's value. */
export type EventHandler<E extends Event> = ((this: WebSocket, event: E) => unknown) | null;

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
  static readonly CONNECTING = 0 as const;
  /** Open. */
  static readonly OPEN = 1 as const;
  /** The closing handshake is under way. */
  static readonly CLOSING = 2 as const;
  /** Closed, or never opened. */
  static readonly CLOSED = 3 as const;
  /** Not open yet. */
  readonly CONNECTING = 0 as const;
  /** Open. */
  readonly OPEN = 1 as const;
  /** The closing handshake is under way. */
  readonly CLOSING = 2 as const;
  /** Closed, or never opened. */
  readonly CLOSED = 3 as const;

  /** The URL, normalised. */
  readonly url: string;
  readonly #abort: AbortController = new AbortController();
  readonly #listeners: Map<string, { readonly given: unknown; readonly wrapped: (event: Event) => void }> =
    new Map();
  #state: 0 | 1 | 2 | 3 = CONNECTING;
  #socket: Socket | undefined = undefined;
  #binaryType: "blob" | "arraybuffer" = "blob";
  /** Bytes of sends after closing began: the standard counts them for ever. */
  #unsentBytes = 0;
  /** Blobs are read asynchronously; what is sent behind one waits for it. Undefined: nothing waits. */
  #blobs: Promise<void> | undefined = undefined;
  #blobBytes = 0;
  #blobsWaiting = 0;

  /**
   * Starts connecting. `open`, or `error` and `close`, will tell.
   *
   * @param url - `ws:`, `wss:`, `http:` or `https:`, absolute.
   * @param protocols - Subprotocols to offer, or {@linkcode WebSocketInit}.
   * @throws DOMException `SyntaxError` for a bad URL or subprotocol.
   * @throws TypeError, RangeError for unknown options, values that do not fit, and for `tls` with a URL that asks for none.
   */
  constructor(url: string | URL, protocols: string | readonly string[] | WebSocketInit = []) {
    super();
    const init: WebSocketInit =
      typeof protocols === "string" || Array.isArray(protocols)
        ? { protocols: protocols as string | readonly string[] }
        : (protocols as WebSocketInit);
    checkKnown("WebSocket", init, ["protocols", "headers", "compression", "tls", "loop"]);
    this.url = normalize(url);
    const offered = typeof init.protocols === "string" ? [init.protocols] : [...(init.protocols ?? [])];
    if (new Set(offered).size !== offered.length || !offered.every(isProtocol)) {
      throw new DOMException(`Cannot offer the subprotocols ${JSON.stringify(offered)}`, "SyntaxError");
    }
    if (!this.url.startsWith("wss")) refuseTls(init.tls);
    // Later, because nobody can listen before the constructor returns.
    const failed = (): void => queueMicrotask(() => this.#closed(1006, "", false));
    try {
      new Connector<undefined>("WebSocket", {
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
      }).open(this.url, { opened: () => undefined, failed });
    } catch (error) {
      // Events could not say what is wrong with an option; all else is a connection that fails, as the standard has it.
      const isMistake = error instanceof TypeError || error instanceof RangeError;
      if (isMistake && isReachable(this.url)) throw error;
      failed();
    }
  }

  /** 0 CONNECTING, 1 OPEN, 2 CLOSING, 3 CLOSED. */
  get readyState(): 0 | 1 | 2 | 3 {
    return this.#state === OPEN && this.#socket?.state === "closing" ? CLOSING : this.#state;
  }

  /** The subprotocol the server chose, or "". */
  get protocol(): string {
    return this.#socket?.protocol ?? "";
  }

  /** The extensions agreed on, such as `permessage-deflate`, or "". */
  get extensions(): string {
    return this.#socket?.extensions ?? "";
  }

  /** Bytes given to `send` that have not left yet. */
  get bufferedAmount(): number {
    const queued = this.#state === CLOSED ? 0 : (this.#socket?.bufferedAmount ?? 0);
    return queued + this.#blobBytes + this.#unsentBytes;
  }

  /** What binary messages become. Values other than these two are ignored, as the standard has it. */
  get binaryType(): "blob" | "arraybuffer" {
    return this.#binaryType;
  }

  set binaryType(value: "blob" | "arraybuffer") {
    if (value === "blob" || value === "arraybuffer") this.#binaryType = value;
  }

  /** Handler of `open`. */
  get onopen(): EventHandler<Event> {
    return this.#listener("open") as EventHandler<Event>;
  }
  set onopen(listener: EventHandler<Event>) {
    this.#listen("open", listener);
  }

  /** Handler of `message`. */
  get onmessage(): EventHandler<MessageEvent> {
    return this.#listener("message") as EventHandler<MessageEvent>;
  }
  set onmessage(listener: EventHandler<MessageEvent>) {
    this.#listen("message", listener);
  }

  /** Handler of `error`. */
  get onerror(): EventHandler<Event> {
    return this.#listener("error") as EventHandler<Event>;
  }
  set onerror(listener: EventHandler<Event>) {
    this.#listen("error", listener);
  }

  /** Handler of `close`. */
  get onclose(): EventHandler<CloseEvent> {
    return this.#listener("close") as EventHandler<CloseEvent>;
  }
  set onclose(listener: EventHandler<CloseEvent>) {
    this.#listen("close", listener);
  }

  /** As of any EventTarget; a listener of one of the {@linkcode WebSocketEvents} is given that event. */
  override addEventListener<Name extends keyof WebSocketEvents>(
    type: Name,
    listener: (this: WebSocket, event: WebSocketEvents[Name]) => unknown,
    options?: Parameters<EventTarget["addEventListener"]>[2],
  ): void;
  /** As of any EventTarget, for any event. */
  override addEventListener(...args: Parameters<EventTarget["addEventListener"]>): void;
  override addEventListener(...args: unknown[]): void {
    super.addEventListener(...(args as Parameters<EventTarget["addEventListener"]>));
  }

  /** As of any EventTarget, for listeners of {@linkcode WebSocketEvents}. */
  override removeEventListener<Name extends keyof WebSocketEvents>(
    type: Name,
    listener: (this: WebSocket, event: WebSocketEvents[Name]) => unknown,
    options?: Parameters<EventTarget["removeEventListener"]>[2],
  ): void;
  /** As of any EventTarget, for any event. */
  override removeEventListener(...args: Parameters<EventTarget["removeEventListener"]>): void;
  override removeEventListener(...args: unknown[]): void {
    super.removeEventListener(...(args as Parameters<EventTarget["removeEventListener"]>));
  }

  /**
   * Sends a message.
   *
   * @throws DOMException `InvalidStateError` while connecting.
   */
  send(data: string | ArrayBuffer | ArrayBufferView | Blob): void {
    if (this.#state === CONNECTING) {
      throw new DOMException("Cannot send: the WebSocket is still connecting", "InvalidStateError");
    }
    if (this.readyState !== OPEN) {
      this.#unsentBytes += sizeOf(data);
    } else if (data instanceof Blob || this.#blobs !== undefined) {
      this.#sendLater(data);
    } else {
      this.#sendNow(data);
    }
  }

  /**
   * Begins the closing handshake. Without arguments its frame has no code, and the peer sees 1005.
   *
   * @param code - 1000 or 3000 to 4999. @default none; 1000 with a reason
   * @param reason - At most 123 bytes of UTF-8.
   * @throws DOMException `InvalidAccessError` for another code, `SyntaxError` for a longer reason.
   */
  close(code?: number, reason: string = ""): void {
    if (code !== undefined && code !== 1000 && !(Number.isInteger(code) && code >= 3000 && code <= 4999)) {
      throw new DOMException(
        `Cannot close with code ${code}: use 1000, or 3000 to 4999`,
        "InvalidAccessError",
      );
    }
    if (encoder.encode(reason).length > MAX_REASON_BYTES) {
      throw new DOMException("Cannot close with a reason of more than 123 bytes", "SyntaxError");
    }
    if (this.#state === CONNECTING) {
      this.#state = CLOSING;
      this.#abort.abort();
    } else if (this.#state === OPEN) {
      this.#state = CLOSING;
      const socket = this.#socket as Socket;
      const close = (): void => {
        if (code === undefined && reason === "") socket.closeWithoutCode();
        else socket.close(code, reason);
      };
      // What waits behind a Blob was sent before: it goes first.
      if (this.#blobs === undefined) close();
      else this.#blobs = this.#blobs.then(close);
    }
  }

  #opened(socket: Socket, offered: readonly string[]): void {
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

  #received(data: string | Uint8Array): void {
    if (this.readyState !== OPEN) return;
    const bytes = typeof data === "string" ? undefined : exactBuffer(data);
    const value = bytes === undefined ? data : this.#binaryType === "blob" ? new Blob([bytes]) : bytes;
    this.#fire(new MessageEvent("message", { data: value, origin: new URL(this.url).origin }));
  }

  #closed(code: number, reason: string, wasClean: boolean): void {
    if (this.#state === CLOSED) return;
    const neverOpened = this.#socket === undefined;
    this.#state = CLOSED;
    if (!wasClean || neverOpened) this.#fire(new Event("error"));
    this.#fire(
      new CloseEvent("close", wasClean && !neverOpened ? { code, reason, wasClean } : { code: 1006 }),
    );
  }

  /** A listener that throws is the program's affair: EventTarget reports it and the connection lives on. */
  #fire(event: Event): void {
    this.dispatchEvent(event);
  }

  #sendNow(data: string | ArrayBuffer | ArrayBufferView): void {
    // With `whenFull: "close"` a full queue breaks the connection, as the standard asks for.
    if (this.#socket?.send(data) === "dropped") this.#unsentBytes += sizeOf(data);
  }

  #sendLater(data: string | ArrayBuffer | ArrayBufferView | Blob): void {
    const size = sizeOf(data);
    // The caller may change its bytes right after send().
    const kept = data instanceof Blob ? data : new Blob([data as BlobPart]);
    this.#blobBytes += size;
    this.#blobs = this.#sendAfter(this.#blobs, data, kept, size);
  }

  async #sendAfter(
    before: Promise<void> | undefined,
    data: string | ArrayBuffer | ArrayBufferView | Blob,
    kept: Blob,
    size: number,
  ): Promise<void> {
    this.#blobsWaiting++;
    await before;
    const content = typeof data === "string" ? data : await kept.arrayBuffer();
    this.#blobBytes -= size;
    this.#sendNow(content);
    if (--this.#blobsWaiting === 0) this.#blobs = undefined;
  }

  #listener(type: string): unknown {
    return this.#listeners.get(type)?.given ?? null;
  }

  #listen(type: string, listener: unknown): void {
    const old = this.#listeners.get(type);
    if (old !== undefined) this.removeEventListener(type, old.wrapped);
    this.#listeners.delete(type);
    if (typeof listener !== "function") return;
    const wrapped = (event: Event): void => {
      listener.call(this, event);
    };
    this.#listeners.set(type, { given: listener, wrapped });
    this.addEventListener(type, wrapped);
  }
}

/** The URL with ws: for http:, and what is wrong with it as the standard's exception. */
function normalize(url: string | URL): string {
  const shown = withoutUser(String(url));
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
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

/** Port 0 is fine with the standard, and cannot be connected to. */
function isReachable(url: string): boolean {
  try {
    parseWebSocketUrl(url);
    return true;
  } catch {
    return false;
  }
}

function isProtocol(protocol: string): boolean {
  return /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(protocol);
}

function sizeOf(data: string | ArrayBuffer | ArrayBufferView | Blob): number {
  if (typeof data === "string") return encoder.encode(data).length;
  return data instanceof Blob ? data.size : data.byteLength;
}

/** A buffer that holds these bytes and nothing else. */
function exactBuffer(bytes: Uint8Array): ArrayBuffer {
  const { buffer, byteOffset, byteLength } = bytes;
  const isExact = byteOffset === 0 && byteLength === buffer.byteLength && buffer instanceof ArrayBuffer;
  return isExact ? buffer : (bytes.slice().buffer as ArrayBuffer);
}
