/** One open stream from the inside: the transport's callbacks go in, handlers are called, the end is seen through. */

import { kindOf, RingwireError } from "../errors.ts";
import type { Engine } from "../loop.ts";
import { CallbackTimer } from "../timer_wheel.ts";
import type { Connection, ConnectionHandler } from "../transport.ts";
import { ChunkQueue } from "./chunk_queue.ts";
import { callHandler, type HandlerOwner, tellError } from "./handler_calls.ts";
import type { SendStatus } from "./send_status.ts";
import { Stream } from "./stream.ts";
import type { StreamSettings } from "./stream_options.ts";
import { StreamWriter } from "./stream_writer.ts";

const encoder = new TextEncoder();
/** Silence may be found so much later than it began, as a share of `idleTimeoutMs`. */
const CHECKS_PER_INTERVAL = 8;

/** See the top of this file. */
export class StreamSession<Data> implements ConnectionHandler, HandlerOwner<Stream<Data>> {
  readonly stream: Stream<Data>;
  readonly connection: Connection;
  readonly settings: StreamSettings<Data>;
  readonly writer: StreamWriter;
  readonly gone: Promise<void>;
  state: "open" | "closing" | "closed" = "open";
  /** What broke the connection, if anything did. */
  failure: RingwireError | undefined = undefined;
  readonly #engine: Engine;
  readonly #closeDeadline: CallbackTimer;
  readonly #idleCheck: CallbackTimer;
  #resolveGone: () => void = () => undefined;
  /** Received and not taken: for `for await`, and what was in hand when the program paused. */
  readonly #unread: ChunkQueue = new ChunkQueue();
  #readers: ((bytes: Uint8Array | undefined) => void)[] = [];
  #isPaused = false;
  #isFull = false;
  /** The peer has sent all it will. */
  #hasEnded = false;
  /** That was told. */
  #isEndTold = false;
  /** Nothing can be written any more. */
  #isFinished = false;
  #isGone = false;
  #isActive = false;
  #silentSinceMs = 0;

  constructor(
    engine: Engine,
    connection: Connection,
    settings: StreamSettings<Data>,
    url: string,
    data: Data,
  ) {
    this.#engine = engine;
    this.connection = connection;
    this.settings = settings;
    this.writer = new StreamWriter(
      engine.transport,
      connection,
      settings as unknown as StreamSettings<never>,
      () => this.#overflowed(),
    );
    this.gone = new Promise((resolve) => {
      this.#resolveGone = resolve;
    });
    this.#closeDeadline = new CallbackTimer(() => this.#closeTimedOut());
    this.#idleCheck = new CallbackTimer(() => this.#checkIdle());
    this.stream = new Stream(this, url, data);
  }

  // ── from the transport ───────────────────────────────────────────────────────────────────────

  /** The connection stands: said by who dialled it. */
  opened(): void {
    this.#silentSinceMs = this.#engine.runtime.nowMs();
    this.#scheduleIdleCheck();
    callHandler(this, this.settings.handlers.open);
  }

  received(bytes: Uint8Array, start: number, end: number): void {
    this.#isActive = true;
    if (this.state !== "open") return;
    const { handlers, zeroCopy } = this.settings;
    if (handlers.data === undefined || this.#isPaused || this.#unread.count > 0) {
      this.#hold(bytes.slice(start, end));
    } else {
      this.#deliver(zeroCopy ? bytes.subarray(start, end) : bytes.slice(start, end));
    }
  }

  ended(): void {
    this.#hasEnded = true;
    if (this.#unread.count === 0 && !this.#isPaused) this.#tellEnd();
  }

  drained(): void {
    if (this.writer.shrank()) callHandler(this, this.settings.handlers.drain);
  }

  closed(error: RingwireError | undefined): void {
    this.#isGone = true;
    this.#isFinished = true;
    this.failure ??= error;
    if (this.state === "open") this.state = "closing";
    for (const timer of [this.#closeDeadline, this.#idleCheck]) this.#engine.wheel.cancel(timer);
    this.writer.close();
    this.#finishIfDelivered();
  }

  // ── from the stream ──────────────────────────────────────────────────────────────────────────

  write(data: string | ArrayBuffer | ArrayBufferView): SendStatus {
    const bytes = toBytes(data);
    return this.#isFinished || this.state !== "open" ? "dropped" : this.writer.write(bytes);
  }

  pause(): void {
    this.#isPaused = true;
    this.#applyReceiving();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#applyReceiving();
    // Not now: no handler runs inside a call of the program.
    this.#engine.soon(() => this.#deliverHeld());
  }

  /** The next bytes for an iteration; undefined when there will be none. */
  read(): Promise<Uint8Array | undefined> {
    return new Promise((resolve) => {
      this.#readers.push(resolve);
      this.#serveReaders();
    });
  }

  end(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.connection.end();
  }

  close(): void {
    if (this.state !== "open") return;
    this.state = "closing";
    this.#isFinished = true;
    this.#discard();
    this.connection.close();
    this.#engine.wheel.schedule(
      this.#closeDeadline,
      this.#engine.runtime.nowMs(),
      this.settings.closeTimeoutMs,
    );
    if (this.#isGone) this.#finishIfDelivered();
  }

  terminate(): void {
    if (this.state === "closed") return;
    this.state = "closing";
    this.#isFinished = true;
    this.#discard();
    this.connection.abort();
    if (this.#isGone) this.#finishIfDelivered();
  }

  // ── receiving ────────────────────────────────────────────────────────────────────────────────

  #deliver(bytes: Uint8Array): void {
    callHandler(this, this.settings.handlers.data, bytes);
  }

  #hold(bytes: Uint8Array): void {
    this.#unread.push(bytes);
    this.#serveReaders();
    if (this.#unread.heldBytes < this.settings.maxUnreadBytes || this.#isFull) return;
    this.#isFull = true;
    this.#applyReceiving();
  }

  #take(): Uint8Array | undefined {
    const bytes = this.#unread.shift();
    if (this.#isFull && this.#unread.heldBytes <= this.settings.maxUnreadBytes / 2) {
      this.#isFull = false;
      this.#applyReceiving();
    }
    return bytes;
  }

  #serveReaders(): void {
    while (this.#readers.length > 0 && !this.#isPaused) {
      const isOver = this.#hasEnded || this.#isGone || this.state !== "open";
      if (this.#unread.count === 0 && !isOver) return;
      this.#readers.shift()?.(this.#take());
      if (this.#unread.count === 0) this.#emptied();
    }
  }

  #deliverHeld(): void {
    if (this.settings.handlers.data === undefined) this.#serveReaders();
    else this.#deliverToHandler();
    if (this.#unread.count === 0 && !this.#isPaused) this.#emptied();
  }

  #emptied(): void {
    if (this.#hasEnded) this.#tellEnd();
    if (this.#isGone) this.#finishIfDelivered();
  }

  #tellEnd(): void {
    if (this.#isEndTold) return;
    this.#isEndTold = true;
    this.#serveReaders();
    const { end } = this.settings.handlers;
    if (this.#isGone || this.state !== "open") return;
    if (end === undefined) this.close();
    else callHandler(this, end);
  }

  #discard(): void {
    this.#unread.clear();
    this.#isPaused = false;
    this.#isFull = false;
    this.#applyReceiving();
    this.#serveReaders();
  }

  #applyReceiving(): void {
    if (this.#isPaused || this.#isFull) this.connection.pause();
    else this.connection.resume();
  }

  // ── endings ──────────────────────────────────────────────────────────────────────────────────

  /** The last step. A program that has paused gets what came before the end first, once it resumes; iterations keep what they have not taken. */
  #finishIfDelivered(): void {
    if (this.settings.handlers.data === undefined) this.#serveReaders();
    else {
      this.#deliverToHandler();
      if (this.#unread.count > 0) return;
    }
    if (this.state === "closed") return;
    this.state = "closed";
    if (this.failure !== undefined) tellError(this, this.failure);
    callHandler(this, this.settings.handlers.close, this.failure);
    this.#resolveGone();
  }

  #deliverToHandler(): void {
    while (!this.#isPaused && this.#unread.count > 0) this.#deliver(this.#take() as Uint8Array);
  }

  #fail(error: RingwireError): void {
    if (this.failure !== undefined || this.state === "closed") return;
    this.failure = error;
    this.terminate();
  }

  #overflowed(): void {
    this.#fail(
      new RingwireError(
        "ERR_BACKPRESSURE",
        'The peer does not read and the queue is full (whenFull: "close")',
      ),
    );
  }

  #closeTimedOut(): void {
    this.failure ??= new RingwireError(
      "ERR_CLOSE_TIMEOUT",
      "The peer did not take what was written within closeTimeoutMs",
    );
    this.connection.abort();
  }

  #scheduleIdleCheck(): void {
    const { idleTimeoutMs } = this.settings;
    if (idleTimeoutMs === 0) return;
    const delayMs = idleTimeoutMs / CHECKS_PER_INTERVAL;
    this.#engine.wheel.schedule(this.#idleCheck, this.#engine.runtime.nowMs(), delayMs);
  }

  #checkIdle(): void {
    const nowMs = this.#engine.runtime.nowMs();
    const isReceiving = !this.#isPaused && !this.#isFull && !this.#hasEnded;
    if (this.#isActive || !isReceiving) {
      this.#isActive = false;
      this.#silentSinceMs = nowMs;
    }
    if (nowMs - this.#silentSinceMs < this.settings.idleTimeoutMs) this.#scheduleIdleCheck();
    else
      this.#fail(new RingwireError("ERR_IDLE_TIMEOUT", "The peer was silent for longer than idleTimeoutMs"));
  }

  // ── from its handlers' calls ─────────────────────────────────────────────────────────────────

  get subject(): Stream<Data> {
    return this.stream;
  }

  get kind(): string {
    return "stream";
  }

  get errorHandler(): StreamSettings<Data>["handlers"]["error"] {
    return this.settings.handlers.error;
  }

  handlerFailed(error: RingwireError): void {
    if (this.failure === undefined && !this.#isGone) this.#fail(error);
    else console.error(error);
  }
}

/** The bytes of what a program writes. @throws TypeError for anything that has none. */
function toBytes(data: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof data === "string") return encoder.encode(data);
  if (data instanceof Uint8Array) return data;
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  throw new TypeError(`Cannot write ${kindOf(data)}: give a string, an ArrayBuffer or a view of one`);
}
