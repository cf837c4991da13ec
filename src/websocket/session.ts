/**
 * One open WebSocket from the inside: the transport's callbacks go in, frames are decoded, handlers are called, and
 * the closing handshake is seen through. `Socket` is the face it shows to programs. One file and not two, because half a session would be
 * one more object for each open socket.
 */

import { RingwireError } from "../errors.ts";
import {
  DECODE_BINARY,
  DECODE_CLOSE,
  DECODE_MORE,
  DECODE_PING,
  DECODE_PONG,
  DECODE_TEXT,
  type MessageDecoder,
} from "../protocol/message_decoder.ts";
import { OPCODE_PING } from "../protocol/opcode.ts";
import type { DeflateAgreement } from "../protocol/permessage_deflate.ts";
import {
  callHandler,
  type HandlerOwner,
  handlerThrew,
  settleHandler,
  tellError,
} from "../stream/handler_calls.ts";
import type { Connection, ConnectionHandler } from "../transport.ts";
import { Compressor } from "./compressor.ts";
import { Ending } from "./ending.ts";
import { FrameSender } from "./frame_sender.ts";
import type { CloseInfo, SendStatus } from "./handlers.ts";
import { Inbox, type Recipient } from "./inbox.ts";
import { DEADLINE_ERRORS, type Deadline, Keepalive, type KeepaliveTarget } from "./keepalive.ts";
import type { MessageBatch } from "./message_batch.ts";
import { Outbox, type OutboxOwner } from "./outbox.ts";
import { Pacer } from "./pacer.ts";
import { ReceiveLimiter } from "./receive_limiter.ts";
import { RoundTrip } from "./round_trip.ts";
import type { SessionContext } from "./session_context.ts";
import { tellClosed, tellFailed, tellLimit, tellOpened, tellPressure } from "./session_events.ts";
import type { HandledSettings } from "./settings.ts";
import { Socket, type SocketInfo } from "./socket.ts";

const EMPTY = new Uint8Array(0);

/** See the top of this file. */
export class Session<Data>
  implements ConnectionHandler, HandlerOwner<Socket<Data>>, KeepaliveTarget, OutboxOwner, Recipient
{
  readonly socket: Socket<Data>;
  readonly outbox: Outbox;
  readonly inbox: Inbox;
  readonly connection: Connection;
  readonly context: SessionContext<Data>;
  state: "open" | "closing" | "closed" = "open";
  messageCount: number = 0;
  /** On its server's roster. */
  place: number = -1;
  /** Undefined while nothing is held of what the peer has sent; with compression the socket's own from the beginning. */
  #decoder: MessageDecoder | undefined;
  /** Undefined: nothing is compressed, by either side. */
  readonly #compressor: Compressor | undefined;
  /** Undefined: the peer may send as fast as it likes. */
  readonly #limiter: ReceiveLimiter | undefined;
  readonly #keepalive: Keepalive;
  /** Undefined until a ping was sent. */
  #roundTrip: RoundTrip | undefined = undefined;
  /** Input is ignored: the peer's Close frame came, or the connection failed. */
  #isDeaf = false;
  /** The connection is gone; `closed` may still wait for messages that the program has not resumed to take. */
  #isGone = false;
  /** Undefined while there is nothing to say about the end. */
  #ending: Ending | undefined = undefined;
  /**
   * Bytes that wait undecoded until the program has taken what is held, or until `receiveLimit` lets them. Only with either: what one read brings
   * can become a thousand times larger with compression, and to stop reading would come too late.
   */
  #backlog: Uint8Array[] | undefined = undefined;
  /** The peer's end came behind the backlog. */
  #endsAfterBacklog = false;

  /**
   * @param deflate - How messages are compressed; undefined: not at all.
   */
  constructor(
    context: SessionContext<Data>,
    connection: Connection,
    info: SocketInfo,
    deflate: DeflateAgreement | undefined,
    data: Data,
  ) {
    const { engine, settings } = context;
    const { transport, metrics } = engine;
    const maskKeys = settings.isClient && !settings.zeroMask ? engine.maskKeys : undefined;
    this.context = context;
    this.connection = connection;
    this.#decoder =
      deflate && context.openDecoder(() => context.engine.transport.codec.openInflater(deflate.receiving));
    const sender = new FrameSender(
      connection,
      transport.kernels,
      settings.isClient,
      maskKeys,
      settings.fragmentBytes,
      metrics,
    );
    this.#compressor =
      deflate && settings.compression && new Compressor(transport.codec, settings.compression, deflate);
    const pacer = settings.sendLimit && new Pacer(settings.sendLimit, engine);
    this.outbox = new Outbox(connection, sender, metrics, this, this.#compressor, pacer);
    this.#limiter =
      settings.receiveLimit &&
      new ReceiveLimiter(settings.receiveLimit, engine, () => this.inbox.throttle(false));
    this.inbox = new Inbox(context, connection, this);
    this.#keepalive = new Keepalive(this);
    this.socket = new Socket(this, info, data);
  }

  get settings(): HandledSettings<Data> {
    return this.context.settings;
  }

  // ── from the transport ───────────────────────────────────────────────────────────────────────

  /** The handshake is done: by the code that did it, not by the transport, which opened long before. */
  opened(): void {
    this.#keepalive.start();
    this.context.engine.metrics.opened();
    tellOpened(this.context.engine.diagnostics, this);
    callHandler(this, this.settings.handlers.open);
  }

  received(bytes: Uint8Array, start: number, end: number): void {
    this.#keepalive.active = true;
    this.context.engine.metrics.bytesReceived += end - start;
    if (this.#isDeaf) return;
    if (this.#backlog === undefined) this.#decode(bytes, start, end);
    else this.#backlog.push(bytes.slice(start, end));
  }

  #decode(bytes: Uint8Array, start: number, end: number): void {
    const decoder = this.#borrowDecoder();
    const messagesBefore = this.messageCount;
    try {
      this.inbox.begin();
      decoder.feed(bytes, start, end);
      this.#take(decoder, bytes);
      if (!this.#isGone) this.inbox.finish();
    } catch (thrown) {
      this.#failMemory(thrown);
    }
    this.context.engine.metrics.messagesReceived += this.messageCount - messagesBefore;
    if (!this.#isDeaf && this.#compressor === undefined && decoder.isIdle) this.#returnDecoder(decoder);
  }

  /** Takes what was fed. */
  #take(decoder: MessageDecoder, bytes: Uint8Array): void {
    const limiter = this.#limiter;
    const gathers = this.settings.delivery === "batch" && limiter === undefined;
    const mayWait = this.#compressor !== undefined || limiter !== undefined;
    while (!this.#isDeaf) {
      if (gathers) {
        this.messageCount += this.inbox.gather(decoder, bytes);
        // A full batch is delivered at once, and its handler may close.
        if (this.#isDeaf) break;
      }
      const event = decoder.next();
      if (event === DECODE_BINARY || event === DECODE_TEXT) {
        this.messageCount++;
        if (limiter !== undefined && !this.#admits(limiter, decoder)) continue;
        if (!this.inbox.take(event === DECODE_TEXT, decoder)) this.#failText();
      } else if (event === DECODE_MORE) {
        break;
      } else {
        if (limiter !== undefined && isPingOrPong(event) && !this.#admits(limiter, decoder)) continue;
        this.#takeOther(event, decoder);
      }
      if (mayWait && this.#mustWait && !this.#isDeaf) {
        this.#backlog = [decoder.takeRest()];
        break;
      }
    }
  }

  #borrowDecoder(): MessageDecoder {
    this.#decoder ??= this.context.decoders.take();
    return this.#decoder;
  }

  #returnDecoder(decoder: MessageDecoder): void {
    this.#decoder = undefined;
    this.context.decoders.give(decoder);
  }

  ended(): void {
    if (this.#backlog !== undefined) {
      this.#endsAfterBacklog = true;
      return;
    }
    if (this.#ending?.peerClose === undefined) {
      this.#failed(
        new RingwireError(
          "ERR_CONNECTION_CLOSED",
          "The peer ended the connection without a Close frame (RFC 6455 §7.1.5)",
          { closeCode: 1006 },
        ),
      );
    }
    this.#beDeaf();
    this.connection.close();
  }

  drained(): void {
    if (this.outbox.shrank()) this.#tellDrained();
  }

  /** A program that sends on `drain` has no more to send once the socket closes. One that has paused until `drain` still must go on. */
  #tellDrained(): void {
    if (this.state === "open" || this.inbox.isPaused) callHandler(this, this.settings.handlers.drain);
  }

  closed(error: RingwireError | undefined): void {
    if (this.#isGone) return;
    if (this.#backlog !== undefined) {
      // As with bytes in the kernel's hands when a connection breaks: what finds room is kept.
      this.inbox.closing();
      this.#decodeBacklog();
    }
    this.#isGone = true;
    this.#isDeaf = true;
    if (this.state === "open") this.state = "closing";
    if (this.#ending?.isAgreed !== true) this.#end.failure ??= error;
    const isDrainDue = this.outbox.abandon();
    this.#decoder?.close();
    this.#compressor?.close();
    this.#limiter?.close();
    if (isDrainDue) this.#tellDrained();
    const isAllDelivered = this.inbox.close();
    // After the inbox: a handler of a message that was still held may close, which starts a deadline.
    this.#keepalive.stop();
    if (isAllDelivered) this.#finish();
  }

  // ── from the inbox ───────────────────────────────────────────────────────────────────────────

  deliver(value: string | Uint8Array, isText: boolean): void {
    const handler = this.context.onMessage;
    if (handler === undefined) return;
    try {
      const result = handler(this.socket, value, isText);
      if (typeof result === "object") settleHandler(this, result);
    } catch (thrown) {
      handlerThrew(this, thrown);
    }
  }

  deliverBatch(batch: MessageBatch): void {
    try {
      const { onBatch } = this.context;
      const result = onBatch?.(this.socket, batch);
      if (typeof result === "object") settleHandler(this, result);
    } catch (thrown) {
      handlerThrew(this, thrown);
    }
  }

  emptied(): void {
    if (this.#isGone) this.#finish();
    else this.#decodeBacklog();
  }

  readable(): void {
    this.#keepalive.resumed();
    // Not now: no handler runs inside a call of the program.
    if (this.#backlog !== undefined) this.context.engine.soon(() => this.#decodeBacklog());
  }

  unreadable(): void {
    this.#keepalive.paused();
  }

  // ── from its handlers' calls ─────────────────────────────────────────────────────────────────

  get subject(): Socket<Data> {
    return this.socket;
  }

  get kind(): string {
    return "WebSocket";
  }

  get errorHandler(): HandledSettings<Data>["handlers"]["error"] {
    return this.settings.handlers.error;
  }

  handlerFailed(error: RingwireError): void {
    this.inbox.discard();
    if (this.failure === undefined && this.state !== "closed" && !this.#isGone) this.fail(error);
    else this.#report(error);
  }

  // ── from the keepalive ───────────────────────────────────────────────────────────────────────

  get isReceiving(): boolean {
    return this.inbox.isReceiving;
  }

  get inMessage(): boolean {
    return this.#decoder?.inMessage === true;
  }

  sendKeepalivePing(): void {
    if (this.state === "open" && this.outbox.keepalivePing()) this.#pinged(EMPTY);
  }

  deadlinePassed(deadline: Deadline): void {
    if (deadline !== "close") {
      this.fail(DEADLINE_ERRORS[deadline]());
      return;
    }
    if (this.#ending?.isAgreed !== true) {
      this.#failed(
        new RingwireError("ERR_CLOSE_TIMEOUT", "The peer did not close within closeTimeoutMs", {
          closeCode: 1006,
        }),
      );
    }
    this.connection.abort();
  }

  // ── from the socket ──────────────────────────────────────────────────────────────────────────

  /** Begins the closing handshake. */
  close(code: number, reason: string): void {
    if (this.state !== "open") return;
    this.#end.isByUs = true;
    this.#sendClose(code, reason);
    this.inbox.closing();
  }

  /** Drops the connection. */
  terminate(): void {
    if (this.state === "closed") return;
    if (this.state === "open") this.#end.isByUs = true;
    this.#beDeaf();
    this.inbox.discard();
    this.connection.abort();
    if (this.#isGone) this.#finish();
  }

  /** Sends a Ping of the program's. */
  ping(payload: Uint8Array): SendStatus {
    if (this.state !== "open") return "dropped";
    const status = this.outbox.control(OPCODE_PING, payload);
    if (status !== "dropped") this.#pinged(payload);
    return status;
  }

  /** How long the peer took to answer the last ping, milliseconds; undefined before. */
  get roundTripMs(): number | undefined {
    return this.#roundTrip?.lastMs;
  }

  /** What broke the connection, if anything did. */
  get failure(): RingwireError | undefined {
    return this.#ending?.failure;
  }

  /** Undefined until all is over. */
  get closeInfo(): CloseInfo | undefined {
    return this.#ending?.info;
  }

  /** Whether the program closed first, or dropped the connection. */
  get isClosedByUs(): boolean {
    return this.#ending?.isByUs === true;
  }

  /** Resolves once the connection is gone. */
  get gone(): Promise<CloseInfo> {
    return this.#end.gone;
  }

  /** Calls back once the connection is gone. */
  whenClosed(listener: (info: CloseInfo) => void): void {
    this.#end.whenClosed(listener);
  }

  /** Calls back when the connection fails, before the program hears of it: for who will not wait for the peer to close too. */
  whenFailing(listener: (error: RingwireError) => void): void {
    this.#end.whenFailing = listener;
  }

  /** Fails the connection (RFC 6455 §7.1.7): reports, sends the error's close code, reads nothing more. */
  fail(error: RingwireError): void {
    const end = this.#end;
    if (end.failure !== undefined || this.state === "closed") return;
    end.failure = error;
    if (!end.isCloseSent) this.#sendClose(error.closeCode ?? 1011, "");
    this.#beDeaf();
    this.connection.end();
    this.#tellFailure();
  }

  /** Sends what the turn has gathered now. */
  flush(): void {
    this.context.engine.transport.flush();
  }

  // ── inside ───────────────────────────────────────────────────────────────────────────────────

  get #nowMs(): number {
    return this.context.engine.runtime.nowMs();
  }

  /** Made when it is first needed. */
  get #end(): Ending {
    this.#ending ??= new Ending();
    return this.#ending;
  }

  #pinged(payload: Uint8Array): void {
    this.#roundTrip ??= new RoundTrip();
    this.#roundTrip.pinged(payload, this.#nowMs);
  }

  /** Whether what the decoder stands at is delivered, under `receiveLimit`. */
  #admits(limiter: ReceiveLimiter, decoder: MessageDecoder): boolean {
    const isAdmitted = limiter.admits(decoder.end - decoder.start);
    if (isAdmitted && !limiter.mustWait()) return true;
    if (limiter.whenExceeded === "pause") this.inbox.throttle(true);
    else if (limiter.whenExceeded === "drop") this.context.engine.metrics.messagesShed++;
    else this.#failRate();
    tellLimit(this.context.engine.diagnostics, this, limiter.whenExceeded);
    return isAdmitted;
  }

  /** Whether what comes next has to wait undecoded. */
  get #mustWait(): boolean {
    return (this.#compressor !== undefined && this.inbox.isOverfull) || this.inbox.isThrottled;
  }

  #decodeBacklog(): void {
    const backlog = this.#backlog;
    if (backlog === undefined || this.inbox.isOverfull || this.inbox.isThrottled) return;
    this.#backlog = undefined;
    for (const [index, bytes] of backlog.entries()) {
      if (this.#isDeaf) break;
      this.#decode(bytes, 0, bytes.length);
      if (this.#backlog !== undefined) {
        (this.#backlog as Uint8Array[]).push(...backlog.slice(index + 1));
        return;
      }
    }
    if (!this.#endsAfterBacklog) return;
    this.#endsAfterBacklog = false;
    this.ended();
  }

  /** The last step: everything was delivered, now the program hears of the end. */
  #finish(): void {
    const end = this.#end;
    if (end.isConcluding) return;
    end.isConcluding = true;
    this.#keepalive.stop();
    this.#tellFailure();
    this.state = "closed";
    const info = end.conclude();
    this.context.engine.metrics.closed();
    tellClosed(this.context.engine.diagnostics, this, info);
    this.context.gone(this);
    callHandler(this, this.settings.handlers.close, info.code, info.reason, info.wasClean);
    end.tell(info);
  }

  // ── from the outbox ──────────────────────────────────────────────────────────────────────────

  congested(): void {
    tellPressure(this.context.engine.diagnostics, this, "high");
  }

  relieved(): void {
    tellPressure(this.context.engine.diagnostics, this, "low");
  }

  /** The program wants that to be the end (`whenFull: "close"`). It is in a call of `send`: told later. */
  overflowed(): void {
    this.#end.failure ??= new RingwireError(
      "ERR_BACKPRESSURE",
      'The peer does not read and the queue is full (whenFull: "close")',
      { closeCode: 1006 },
    );
    this.#beDeaf();
    this.connection.abort();
  }

  /** Of several failures the first counts. */
  #failed(error: RingwireError): void {
    if (this.failure !== undefined) return;
    this.#end.failure = error;
    this.#tellFailure();
  }

  #tellFailure(): void {
    const end = this.#end;
    if (end.isFailureTold || end.failure === undefined) return;
    end.isFailureTold = true;
    end.whenFailing?.(end.failure);
    this.#report(end.failure);
  }

  /** Control frames, and failures. */
  #takeOther(event: number, decoder: MessageDecoder): void {
    if (event === DECODE_PING || event === DECODE_PONG) {
      const payload =
        decoder.start === decoder.end ? EMPTY : decoder.bytes.subarray(decoder.start, decoder.end);
      if (event === DECODE_PONG) this.#takePong(payload);
      else if (this.state === "open") this.outbox.answerPing(payload);
      const { ping, pong } = this.settings.handlers;
      callHandler(this, event === DECODE_PING ? ping : pong, payload);
    } else if (event === DECODE_CLOSE) {
      this.#takeClose(decoder.closeCode, decoder.closeReason);
    } else {
      // Messages before the broken frame reach their handler before anything closes.
      this.inbox.finish();
      this.fail(decoder.failure as RingwireError);
    }
  }

  #takePong(payload: Uint8Array): void {
    const roundTripMs = this.#roundTrip?.answered(payload, this.#nowMs);
    if (roundTripMs !== undefined) this.context.engine.metrics.answered(roundTripMs);
  }

  #takeClose(code: number, reason: string): void {
    // Messages before the Close frame reach their handler before anything closes.
    this.inbox.finish();
    const end = this.#end;
    end.peerClose = { code, reason };
    // With the reason, as most do: then both sides report the same end (RFC 6455 §5.5.1 asks for the code only).
    if (!end.isCloseSent) this.#sendClose(code, reason);
    this.#beDeaf();
    // The server closes the TCP connection first, so that TIME_WAIT stays with it (RFC 6455 §7.1.1).
    if (!this.settings.isClient) this.connection.end();
  }

  #sendClose(code: number, reason: string): void {
    this.#end.isCloseSent = true;
    this.outbox.close(code, reason);
    if (this.state === "open") this.state = "closing";
    this.#keepalive.closing();
  }

  #beDeaf(): void {
    this.#isDeaf = true;
    this.#dropBacklog();
    if (this.state === "open") this.state = "closing";
    this.inbox.closing();
    this.#keepalive.closing();
  }

  #dropBacklog(): void {
    this.#backlog = undefined;
    if (!this.#endsAfterBacklog) return;
    this.#endsAfterBacklog = false;
    this.connection.close();
  }

  #failRate(): void {
    this.inbox.finish();
    this.fail(
      new RingwireError("ERR_RATE_LIMITED", "The peer sent faster than receiveLimit allows", {
        closeCode: 1008,
      }),
    );
  }

  /**
   * No memory for a message, or no string that long: handlers throw elsewhere. What it is told by differs (RangeError; Error on Node, TypeError on Deno
   * for strings), so the class is not looked at. The decoder stands in the middle of the message, and stays with this socket.
   */
  #failMemory(thrown: unknown): void {
    const text = thrown instanceof Error ? thrown.message : String(thrown);
    this.fail(
      new RingwireError("ERR_OUT_OF_MEMORY", `Cannot take a message: ${text}`, {
        cause: thrown,
        closeCode: 1011,
      }),
    );
    // What it was gathered with goes back.
    this.inbox.discard();
    this.inbox.finish();
  }

  #failText(): void {
    this.fail(
      new RingwireError("ERR_INVALID_UTF8", "A text message is not UTF-8 (RFC 6455 §8.1)", {
        closeCode: 1007,
      }),
    );
  }

  #report(error: RingwireError): void {
    this.context.engine.metrics.failed(error);
    tellFailed(this.context.engine.diagnostics, this, error);
    tellError(this, error);
  }
}

function isPingOrPong(event: number): boolean {
  return event === DECODE_PING || event === DECODE_PONG;
}
