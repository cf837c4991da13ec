/**
 * One accepted connection while it speaks HTTP/1.1: reads requests one after another, hands each to its host, writes
 * the answer, or gives the connection away when it becomes a WebSocket (RFC 9112).
 */

import { RingwireError } from "../errors.ts";
import type { Engine } from "../loop.ts";
import { type HeadLimits, HeadParser } from "../protocol/http_head.ts";
import { badRequest, bodyBytes, checkRequest, type RequestHead } from "../protocol/http_request.ts";
import { type Refusal, statusText, writeResponseHead } from "../protocol/http_response.ts";
import { type BodyLimits, RequestBody } from "../protocol/request_body.ts";
import { Timer } from "../timer_wheel.ts";
import type { Connection, ConnectionHandler } from "../transport.ts";
import { writeBody, writeHead } from "./connection_writer.ts";
import { targetFault } from "./request_target.ts";

/** Limits of the sessions of one server. */
export interface HttpLimits extends HeadLimits, BodyLimits {
  /** How long a request may take to arrive, a kept connection may wait for the next one, and a peer may not read its answer. */
  readonly requestTimeoutMs: number;
}

/** Who answers requests. */
export interface HttpHost {
  readonly limits: HttpLimits;
  /** A request has arrived whole. Ends in `respond`, `refuse` or `takeOver`, now or later. */
  requested(session: HttpSession, head: RequestHead, body: Uint8Array): void;
  /** The connection is gone or no longer HTTP. */
  released(session: HttpSession): void;
}

/** Bytes that may wait behind a request that is being answered before receiving pauses. */
const MAX_HELD_BYTES = 65_536;
/** Bytes of answers that may wait for a slow peer before its next request is looked at. */
const MAX_QUEUED_ANSWER_BYTES = 65_536;
/** Bytes of a body that may wait for a slow peer before the next part is read. */
const MAX_QUEUED_BODY_BYTES = 1_048_576;
/** How long a refused peer may take to hang up. */
const LINGER_MS = 2_000;
const EMPTY = new Uint8Array(0);
const CRLF = new Uint8Array([13, 10]);

/** `draining`: answered, but the peer has to read before its next request is looked at. */
type State = "head" | "body" | "busy" | "draining" | "lingering" | "released";

/** See the top of this file. */
export class HttpSession extends Timer implements ConnectionHandler {
  readonly connection: Connection;
  /** On its host's roster. */
  place: number = -1;
  readonly #engine: Engine;
  readonly #host: HttpHost;
  #state: State = "head";
  #parser: HeadParser;
  /** Undefined while no head has announced one. */
  #body: RequestBody | undefined = undefined;
  /** Bytes behind the request that is being answered: `#held[#heldStart, #heldEnd)`. One buffer, however small the pieces came. */
  #held: Uint8Array = EMPTY;
  #heldStart = 0;
  #heldEnd = 0;
  #isPaused = false;
  #keepAlive = true;
  /** A head of an answer has been written: another one would land in its body. */
  #isAnswering = false;
  /** The peer has sent its FIN. */
  #peerEnded = false;
  #resumeBody: (() => void) | undefined = undefined;

  constructor(engine: Engine, connection: Connection, host: HttpHost) {
    super();
    this.#engine = engine;
    this.connection = connection;
    this.#host = host;
    this.#parser = new HeadParser("request", host.limits);
    this.#arm(host.limits.requestTimeoutMs);
  }

  /** Whether the connection is still there and waits for an answer. */
  get isBusy(): boolean {
    return this.#state === "busy" && !this.#isAnswering;
  }

  /** Whether the connection can be given away: the request waits for an answer, and its peer for what comes after. */
  get canSwitch(): boolean {
    return this.isBusy && !this.#peerEnded;
  }

  /** Whether nothing of a request has arrived: closing now loses nothing. */
  get isIdle(): boolean {
    return this.#state === "head" && !this.#parser.hasBegun;
  }

  // ── from the transport ───────────────────────────────────────────────────────────────────────

  opened(): void {}

  received(bytes: Uint8Array, start: number, end: number): void {
    if (this.#state === "lingering" || this.#state === "released") return;
    if (this.#state === "busy" || this.#state === "draining") {
      this.#hold(bytes, start, end);
      return;
    }
    try {
      this.#consume(bytes, start, end);
    } catch (error) {
      if (!(error instanceof RingwireError)) throw error;
      this.refuse({ status: error.status ?? 400, reason: error.message, headers: [] });
    }
  }

  ended(): void {
    // A peer may half-close after its request and still read the answer.
    this.#peerEnded = true;
    if (this.#state === "lingering") this.connection.close();
    else this.#endRequests();
  }

  drained(): void {
    if (this.#state === "draining") {
      if (this.connection.queuedBytes <= MAX_QUEUED_ANSWER_BYTES / 2) this.#next();
      return;
    }
    if (this.connection.queuedBytes <= MAX_QUEUED_BODY_BYTES / 2) this.#resumeBody?.();
  }

  closed(): void {
    this.#release();
  }

  // ── from the timer wheel ─────────────────────────────────────────────────────────────────────

  /** The deadline of what this waits for has passed. */
  override expired(): void {
    if (this.#state === "lingering" || this.#state === "busy" || this.#state === "draining") {
      this.connection.abort();
    } else if (this.isIdle) {
      // What was answered last may still be queued for a peer that does not read it.
      this.#state = "lingering";
      this.connection.close();
      this.#arm(LINGER_MS);
    } else this.refuse({ status: 408, reason: "The request did not arrive in time", headers: [] });
  }

  // ── answers ──────────────────────────────────────────────────────────────────────────────────

  /**
   * Answers with a Response of the program, streaming its body. Resolves when it is written or the peer is gone.
   *
   * @throws RangeError, TypeError for a Response that cannot be written, such as `Response.error()`.
   */
  async respond(response: Response, isHead: boolean): Promise<void> {
    if (!this.isBusy) {
      await response.body?.cancel();
      return;
    }
    const hasBody = response.body !== null && !isHead && response.status !== 204 && response.status !== 304;
    const headers: [string, string][] = [...response.headers].filter(
      ([name]) => name !== "connection" && name !== "transfer-encoding",
    );
    const isSized = response.headers.has("content-length");
    const isChunked = hasBody && !isSized && this.#parser.versionMinor > 0;
    if (hasBody && !isSized && !isChunked) this.#keepAlive = false;
    if (isChunked) headers.push(["transfer-encoding", "chunked"]);
    if (response.body === null && !isSized && response.status !== 204 && response.status !== 304) {
      headers.push(["content-length", "0"]);
    }
    headers.push(["connection", this.#keepAlive ? "keep-alive" : "close"]);
    const head = writeResponseHead(response.status, response.statusText, headers);
    this.#isAnswering = true;
    writeHead(this.connection, head);
    if (hasBody && response.body !== null) await this.#sendBody(response.body, isChunked);
    else await response.body?.cancel();
    this.#answered();
  }

  /**
   * Answers with an error, in words, and hangs up: what a bad peer may send further is not looked at. In the middle of an
   * answer, breaking the connection is the only way left to say that it is not whole.
   */
  refuse(refusal: Refusal): void {
    if (this.#state === "released" || this.#state === "lingering") return;
    if (this.#isAnswering) {
      this.connection.abort();
      return;
    }
    const { metrics, diagnostics } = this.#engine;
    metrics.connectionsFailed++;
    if (diagnostics.wants("handshake:refuse")) {
      diagnostics.publish("handshake:refuse", { status: refusal.status, reason: refusal.reason });
    }
    const text = `${refusal.reason === "" ? statusText(refusal.status) : refusal.reason}\n`;
    const body = new TextEncoder().encode(text);
    writeHead(
      this.connection,
      writeResponseHead(refusal.status, "", [
        ...refusal.headers,
        ["content-type", "text/plain; charset=utf-8"],
        ["content-length", String(body.length)],
        ["connection", "close"],
      ]),
    );
    writeBody(this.connection, body);
    this.#linger();
  }

  /**
   * Writes a head (101 Switching Protocols) and gives the connection to another handler. Returns the bytes that arrived behind the
   * request, which are the new handler's; or undefined when the connection is gone.
   */
  takeOver(head: string, handler: ConnectionHandler): Uint8Array | undefined {
    if (!this.canSwitch) return undefined;
    writeHead(this.connection, head);
    const held = this.#takeHeld();
    this.#resume();
    this.#release();
    this.connection.handler = handler;
    return held;
  }

  /** Closes once the answer in progress is written; at once if there is none. */
  finish(): void {
    if (this.#state === "busy" || this.#state === "draining") this.#keepAlive = false;
    else this.connection.close();
  }

  // ── inside ───────────────────────────────────────────────────────────────────────────────────

  #consume(bytes: Uint8Array, start: number, end: number): void {
    let from = start;
    if (this.#state === "head") {
      from = this.#parser.feed(bytes, start, end);
      if (from < 0) return;
      if (!this.#beginBody()) return;
    }
    if (this.#body !== undefined) {
      from = this.#body.feed(bytes, from, end);
      if (from < 0) return;
    }
    this.#state = "busy";
    this.#engine.wheel.cancel(this);
    if (from < end) this.#hold(bytes, from, end);
    this.#keepAlive = wantsKeepAlive(this.#parser);
    this.#host.requested(this, this.#parser, this.#body?.bytes ?? EMPTY);
  }

  /** The head is complete. Returns whether the request goes on. */
  #beginBody(): boolean {
    const fault = targetFault(this.#parser.method, this.#parser.target);
    const refusal = checkRequest(this.#parser) ?? (fault === undefined ? undefined : badRequest(fault));
    const size = bodyBytes(this.#parser);
    if (refusal !== undefined) this.refuse(refusal);
    else if (typeof size !== "number") this.refuse(size);
    else {
      this.#state = "body";
      if (size === 0) return true;
      this.#body = new RequestBody(size, this.#host.limits);
      // HTTP/1.0 knows no interim answers and would take this one for the answer (RFC 9110 §10.1.1).
      const expected = this.#parser.versionMinor > 0 ? this.#parser.headers.get("expect") : undefined;
      if (expected?.toLowerCase() === "100-continue") {
        writeHead(this.connection, "HTTP/1.1 100 Continue\r\n\r\n");
      }
      return true;
    }
    return false;
  }

  async #sendBody(body: ReadableStream<Uint8Array>, isChunked: boolean): Promise<void> {
    const reader = body.getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done || this.#state !== "busy") break;
        if (value.length === 0) continue;
        if (isChunked) writeHead(this.connection, `${value.length.toString(16)}\r\n`);
        writeBody(this.connection, value);
        if (isChunked) writeBody(this.connection, CRLF);
        if (this.connection.queuedBytes > MAX_QUEUED_BODY_BYTES) await this.#untilDrained();
      }
      if (isChunked && this.#state === "busy") writeHead(this.connection, "0\r\n\r\n");
    } catch (error) {
      // The head is out: the only way left to say that the body is not whole is to break the connection.
      console.error(error);
      this.connection.abort();
    } finally {
      await reader.cancel().catch(() => undefined);
    }
  }

  /** Resolves once the peer has read some. One that does not within the time of a request loses its connection. */
  #untilDrained(): Promise<void> {
    this.#arm(this.#host.limits.requestTimeoutMs);
    return new Promise((resolve) => {
      this.#resumeBody = (): void => {
        this.#resumeBody = undefined;
        this.#engine.wheel.cancel(this);
        resolve();
      };
    });
  }

  /** The answer is written. A peer that does not read it within the time of a request loses its connection. */
  #answered(): void {
    if (this.#state !== "busy") return;
    if (this.#keepAlive && this.connection.queuedBytes > MAX_QUEUED_ANSWER_BYTES) {
      this.#state = "draining";
      this.#arm(this.#host.limits.requestTimeoutMs);
    } else this.#next();
  }

  /** The next request, or goodbye. */
  #next(): void {
    if (!this.#keepAlive) {
      this.#linger();
      return;
    }
    this.#parser = new HeadParser("request", this.#host.limits);
    this.#body = undefined;
    this.#isAnswering = false;
    this.#state = "head";
    this.#arm(this.#host.limits.requestTimeoutMs);
    this.#takeHeldRequest();
    this.#resume();
    // What came before the end of the peer's requests has been answered, or is held no more.
    if (this.#peerEnded) this.#endRequests();
  }

  /** No bytes will come any more: what is not whole by now never will be. Requests that are held are answered first. */
  #endRequests(): void {
    if (this.#state === "head" || this.#state === "body") this.connection.close();
    else if (this.#state === "busy" && this.#heldBytes === 0) this.#keepAlive = false;
  }

  /** FIN, then wait for the peer's: closing with unread bytes would reset the answer away. */
  #linger(): void {
    this.#state = "lingering";
    this.#takeHeld();
    this.#resume();
    if (this.#peerEnded) this.connection.close();
    else this.connection.end();
    this.#arm(LINGER_MS);
  }

  get #heldBytes(): number {
    return this.#heldEnd - this.#heldStart;
  }

  #hold(bytes: Uint8Array, start: number, end: number): void {
    if (bytes === this.#held) {
      // What follows a request among the held bytes stays where it is: moving it for each request would be quadratic.
      this.#heldStart = start;
      this.#heldEnd = end;
    } else {
      this.#makeRoom(end - start);
      this.#held.set(bytes.subarray(start, end), this.#heldEnd);
      this.#heldEnd += end - start;
    }
    if (this.#isPaused || this.#heldBytes <= MAX_HELD_BYTES) return;
    this.#isPaused = true;
    this.connection.pause();
  }

  /** Makes room for more held bytes behind those there are. */
  #makeRoom(moreBytes: number): void {
    const { length } = this.#held;
    if (this.#heldEnd + moreBytes <= length) return;
    const needed = this.#heldBytes + moreBytes;
    const room = needed * 2 <= length ? this.#held : new Uint8Array(Math.max(needed * 2, 512));
    room.set(this.#held.subarray(this.#heldStart, this.#heldEnd));
    this.#held = room;
    this.#heldEnd -= this.#heldStart;
    this.#heldStart = 0;
  }

  /** Looks at the next of the held requests. */
  #takeHeldRequest(): void {
    const start = this.#heldStart;
    const end = this.#heldEnd;
    this.#heldStart = 0;
    this.#heldEnd = 0;
    if (start < end) this.received(this.#held, start, end);
    // An idle connection keeps no buffer.
    if (this.#heldBytes === 0) this.#held = EMPTY;
  }

  /** Goes on receiving when few bytes are held: not for each request that is taken from many, which would let more in. */
  #resume(): void {
    if (!this.#isPaused || this.#heldBytes > MAX_HELD_BYTES) return;
    this.#isPaused = false;
    this.connection.resume();
  }

  #takeHeld(): Uint8Array {
    const held = this.#held.subarray(this.#heldStart, this.#heldEnd);
    this.#held = EMPTY;
    this.#heldStart = 0;
    this.#heldEnd = 0;
    return held;
  }

  #arm(delayMs: number): void {
    this.#engine.wheel.schedule(this, this.#engine.runtime.nowMs(), delayMs);
  }

  #release(): void {
    if (this.#state === "released") return;
    this.#state = "released";
    this.#engine.wheel.cancel(this);
    this.#resumeBody?.();
    this.#host.released(this);
  }
}

/** Whether the peer lets the connection live on after this request (RFC 9112 §9.3). */
function wantsKeepAlive(head: RequestHead): boolean {
  return head.versionMinor > 0
    ? !head.headers.hasToken("connection", "close")
    : head.headers.hasToken("connection", "keep-alive");
}
