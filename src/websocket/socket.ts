/**
 * A WebSocket as programs see it, the same on clients and servers.
 */

import { checkCallback } from "../options.ts";
import { isSendableCloseCode } from "../protocol/close_code.ts";
import { OPCODE_BINARY, OPCODE_PONG, OPCODE_TEXT } from "../protocol/opcode.ts";
import type { TlsInfo } from "../tls.ts";
import type { Address } from "../transport.ts";
import type { CloseInfo, SendStatus } from "./handlers.ts";
import type { Message } from "./message.ts";
import type { BatchMessage } from "./message_batch.ts";
import { toBytes, toControlPayload } from "./outbox.ts";
import { ReadBatch, sendMessage } from "./read_batch.ts";
import type { Session } from "./session.ts";

const MAX_REASON_BYTES = 123;
const EMPTY = new Uint8Array(0);
const encoder = new TextEncoder();

/** What the handshake agreed on. */
export interface SocketInfo {
  /** The URL that the client asked for. */
  readonly url: string;
  /** The subprotocol, or "". */
  readonly protocol: string;
  /** The extensions, or "". */
  readonly extensions: string;
}

/**
 * An open WebSocket. Made by `connect` and `serve`.
 *
 * @example
 * ```ts
 * import { connect, serve } from "ringwire";
 *
 * const server = await serve({ port: 0, websocket: { message: (ws, data) => void ws.send(data) } });
 * const socket = await connect(server.url);
 * socket.send("hello");
 * for await (const message of socket) {
 *   console.log(message.text());
 *   socket.close();
 * }
 * await server.stop();
 * ```
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455 | RFC 6455}
 */
export class Socket<Data = undefined> implements AsyncIterable<Message>, AsyncDisposable {
  /** Whatever the program keeps with this socket. On servers: the `data` given to `upgrade`. */
  data: Data;
  /** The URL that the client asked for. */
  readonly url: string;
  /** The subprotocol agreed on, or "". */
  readonly protocol: string;
  /** The extensions agreed on, as Sec-WebSocket-Extensions names them (`permessage-deflate; …`), or "". */
  readonly extensions: string;
  readonly #session: Session<Data>;
  #tls: TlsInfo | undefined = undefined;

  /** @internal Not for programs: sockets come from `connect` and `serve`. */
  constructor(session: Session<Data>, info: SocketInfo, data: Data) {
    this.#session = session;
    this.data = data;
    this.url = info.url;
    this.protocol = info.protocol;
    this.extensions = info.extensions;
  }

  /** `open`, then `closing` once either side has begun to close, then `closed`. */
  get state(): "open" | "closing" | "closed" {
    return this.#session.state;
  }

  /** Bytes given to `send` that the system has not taken yet. */
  get bufferedAmount(): number {
    return this.#session.outbox.queuedBytes;
  }

  /**
   * How long the peer took to answer the last ping, milliseconds: yours, or the automatic one after `pingIntervalMs` of silence. Undefined before
   * the first answer. It includes the time for which either side was busy or had paused.
   */
  get roundTripMs(): number | undefined {
    return this.#session.roundTripMs;
  }

  /** The peer's address, or undefined when the socket is gone. */
  get remoteAddress(): Address | undefined {
    return this.#session.connection.remoteAddress();
  }

  /** Our own address, or undefined when the socket is gone. */
  get localAddress(): Address | undefined {
    return this.#session.connection.localAddress();
  }

  /**
   * What TLS has agreed on: version, cipher, whether the session was resumed, whether the kernel encrypts (kTLS), the peer's certificate.
   * Undefined without TLS. It is read when it is first asked for, which must be while the socket is there, and kept.
   *
   * @example
   * ```ts
   * import type { Socket } from "ringwire";
   *
   * const describe = ({ tls }: Socket): string =>
   *   tls === undefined ? "plain" : `${tls.version} ${tls.cipher}${tls.resumed ? " resumed" : ""}`;
   * console.log(typeof describe);
   * ```
   */
  get tls(): TlsInfo | undefined {
    this.#tls ??= this.#session.connection.tls();
    return this.#tls;
  }

  /** Resolves when the socket is gone; never rejects. */
  get closed(): Promise<CloseInfo> {
    return this.#session.gone;
  }

  /**
   * Sends a message: a string as text, bytes as binary, a message of a batch as what it is (without a copy for you or an
   * object). The bytes are taken before this returns. All that one turn sends leaves together.
   *
   * @throws TypeError for anything that is neither string nor bytes.
   * @throws RingwireError `ERR_BACKPRESSURE` with `whenFull: "wait"`, when the queue is full.
   * @throws RingwireError `ERR_MESSAGE_TOO_LARGE` when the message could never fit the queue.
   */
  send(data: string | ArrayBuffer | ArrayBufferView | BatchMessage): SendStatus {
    const session = this.#session;
    if (typeof data === "string") return session.state === "open" ? session.outbox.text(data) : "dropped";
    if (data instanceof ReadBatch)
      return session.state === "open" ? sendMessage(data, session.outbox) : "dropped";
    return this.#sendBytes(OPCODE_BINARY, data as ArrayBufferView);
  }

  /**
   * Sends UTF-8 bytes as a text message. The caller vouches for their being UTF-8.
   *
   * @throws As {@linkcode Socket.send}.
   */
  sendText(utf8: ArrayBuffer | ArrayBufferView): SendStatus {
    return this.#sendBytes(OPCODE_TEXT, utf8);
  }

  /** Sends a value as JSON text. @throws As {@linkcode Socket.send}, and TypeError for what JSON cannot hold. */
  sendJson(value: unknown): SendStatus {
    const text: string | undefined = JSON.stringify(value);
    if (text === undefined) throw new TypeError(`Cannot send ${typeof value} as JSON`);
    return this.send(text);
  }

  /**
   * Sends a Ping. The peer's answer comes to the `pong` handler, and sets `roundTripMs`.
   *
   * @param payload - At most 125 bytes (RFC 6455 §5.5).
   * @throws RangeError when the payload is longer.
   */
  ping(payload: string | ArrayBuffer | ArrayBufferView = EMPTY): SendStatus {
    return this.#session.ping(toControlPayload(payload, "ping"));
  }

  /** Sends an unsolicited Pong (RFC 6455 §5.5.3). Pings are answered without it. @throws RangeError beyond 125 bytes. */
  pong(payload: string | ArrayBuffer | ArrayBufferView = EMPTY): SendStatus {
    const bytes = toControlPayload(payload, "pong");
    return this.#session.state === "open" ? this.#session.outbox.control(OPCODE_PONG, bytes) : "dropped";
  }

  /**
   * Runs a function and sends at once, together, all that it sent on any socket of this loop. Sends are gathered per turn
   * without it; this only makes them leave earlier.
   *
   * @throws TypeError for what is no function. What the function throws.
   */
  cork<Result>(callback: (ws: this) => Result): Result {
    checkCallback("cork", callback);
    try {
      return callback(this);
    } finally {
      this.#session.flush();
    }
  }

  /**
   * Resolves when `bufferedAmount` is at or below the low mark; at once if it is now.
   *
   * @throws RingwireError `ERR_NOT_OPEN` when the socket closes first.
   */
  drained(): Promise<void> {
    return this.#session.outbox.drained();
  }

  /** Stops delivering messages and slows the peer down by TCP. Pings that are not read yet are not answered meanwhile. */
  pause(): void {
    this.#session.inbox.pause();
  }

  /** Delivers messages again. */
  resume(): void {
    this.#session.inbox.resume();
  }

  /**
   * Messages, until the socket closes. Ends by itself after a clean close; throws what broke the connection otherwise.
   *
   * @throws TypeError when a `message` or `batch` handler takes the messages already.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Message, void, undefined> {
    const session = this.#session;
    if (session.settings.delivery !== "queue") {
      throw new TypeError("Cannot iterate: the socket's messages go to its handler");
    }
    for (;;) {
      const message = await session.inbox.read();
      if (message === undefined) break;
      yield message;
    }
    if (session.failure !== undefined) throw session.failure;
  }

  /**
   * Begins the closing handshake (RFC 6455 §7.1.2). What was sent before still arrives. Does nothing when closing already.
   *
   * @param code - 1000 to 1003, 1007 to 1014 or 3000 to 4999. @default 1000
   * @param reason - At most 123 bytes of UTF-8. @default ""
   * @throws RangeError for a code that may not be sent, or a reason too long; TypeError for a reason that is no string.
   */
  close(code: number = 1000, reason: string = ""): void {
    if (typeof reason !== "string") {
      throw new TypeError(`Cannot close with a reason that is ${typeof reason}, not a string`);
    }
    if (!isSendableCloseCode(code)) {
      throw new RangeError(`Cannot close with code "${code}": use 1000, or 3000 to 4999 (RFC 6455 §7.4)`);
    }
    if (encoder.encode(reason).length > MAX_REASON_BYTES) {
      throw new RangeError("Cannot close with a reason of more than 123 bytes (RFC 6455 §5.5)");
    }
    this.#session.close(code, reason);
  }

  /** @internal Begins the closing handshake without a code, as the class of browsers does (RFC 6455 §7.1.5). */
  closeWithoutCode(): void {
    this.#session.close(1005, "");
  }

  /** Aborts the connection (TCP reset) without a closing handshake. */
  terminate(): void {
    this.#session.terminate();
  }

  /** Closes with 1000 and resolves when the socket is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.closed;
  }

  #sendBytes(
    opcode: typeof OPCODE_BINARY | typeof OPCODE_TEXT,
    data: ArrayBuffer | ArrayBufferView,
  ): SendStatus {
    const bytes = toBytes(data, "send");
    const session = this.#session;
    return session.state === "open" ? session.outbox.bytes(opcode, bytes) : "dropped";
  }
}
