/**
 * The sending side of a session: what a program sends against what the peer takes. Decides between sent, queued
 * and dropped, tells when the queue has drained, and keeps answers to pings from piling up.
 */

import { kindOf, RingwireError } from "../errors.ts";
import type { Counters } from "../metrics/counters.ts";
import { MAX_HEADER_BYTES } from "../protocol/frame_encoder.ts";
import { type OPCODE_BINARY, OPCODE_PING, OPCODE_PONG, OPCODE_TEXT } from "../protocol/opcode.ts";
import { utf8Bound, writeUtf8 } from "../protocol/text.ts";
import type { Connection, Transport } from "../transport.ts";
import type { Compressor } from "./compressor.ts";
import type { FrameSender } from "./frame_sender.ts";
import type { SendStatus } from "./handlers.ts";
import type { Pacer } from "./pacer.ts";
import type { Settings } from "./settings.ts";

const MAX_CONTROL_BYTES = 125;
/** Unsent bytes beyond which pings are no longer answered one by one. */
const MAX_PONG_QUEUE_BYTES = 65_536;
const EMPTY = new Uint8Array(0);
const encoder = new TextEncoder();
/** Texts up to this size are encoded into memory that is used again for each. */
const MAX_SCRATCH_BYTES = 65_536;
/** No compressor: as good as never, and the longer way is right, too. A whole number, so that sizes are not compared as doubles. */
const NEVER_BYTES = 2 ** 30 - 1;
/** One per thread, and none before it is needed. */
let scratch = EMPTY;

/** The scratch memory, with room for a text; or its UTF-8 itself when it is too long for that. */
function scratchFor(text: string): Uint8Array {
  const bound = utf8Bound(text);
  if (bound > MAX_SCRATCH_BYTES) return encoder.encode(text);
  if (scratch.length === 0) scratch = new Uint8Array(MAX_SCRATCH_BYTES);
  return scratch;
}

interface DrainWaiter {
  readonly resolve: () => void;
  readonly reject: (error: RingwireError) => void;
}

/** Who hears of a slow peer. */
export interface OutboxOwner {
  /** What it shares with others: reached through it, because only slow paths look there. */
  readonly context: { readonly engine: { readonly transport: Transport }; readonly settings: Settings };
  /** The queue has come above the high mark, or a message found no room. Comes inside a call of the program. */
  congested(): void;
  /** It has fallen to the low mark again. */
  relieved(): void;
  /** The queue is full, and `whenFull` is "close". Comes inside a call of the program. */
  overflowed(): void;
}

/** Sends on one connection under the limits of its settings. */
export class Outbox {
  readonly #connection: Connection;
  readonly #sender: FrameSender;
  readonly #owner: OutboxOwner;
  readonly #counters: Counters;
  readonly #compressor: Compressor | undefined;
  readonly #pacer: Pacer | undefined;
  /** Messages of at least so many bytes are compressed or may have to wait. */
  readonly #elaborateFromBytes: number = 0;
  /**
   * So much can be sent before the queue needs looking at: what was below the high mark at the last look, less what was sent
   * since. The queue may have drained meanwhile, never grown by more; what does not count here makes it void: control frames and
   * compressed messages.
   */
  #creditBytes = 0;
  #wantsDrain = false;
  /** The program has heard that the peer is slow, and not yet that it has caught up. */
  #isCongested = false;
  #pendingPong: Uint8Array | undefined = undefined;
  /** Undefined: nobody waits for `drained`. */
  #waiters: DrainWaiter[] | undefined = undefined;

  /**
   * @param counters - Where it counts what it sends, and what not.
   * @param compressor - Undefined: nothing is compressed.
   * @param pacer - Undefined: nothing waits for a rate.
   */
  constructor(
    connection: Connection,
    sender: FrameSender,
    counters: Counters,
    owner: OutboxOwner,
    compressor?: Compressor,
    pacer?: Pacer,
  ) {
    this.#compressor = compressor;
    this.#pacer = pacer;
    pacer?.start(({ opcode, bytes }) => this.#send(opcode, bytes, 0, bytes.length));
    this.#elaborateFromBytes = pacer !== undefined ? 0 : (compressor?.fromBytes ?? NEVER_BYTES);
    this.#owner = owner;
    this.#counters = counters;
    this.#connection = connection;
    this.#sender = sender;
  }

  get #settings(): Settings {
    return this.#owner.context.settings;
  }

  get #transport(): Transport {
    return this.#owner.context.engine.transport;
  }

  /** What the system has not taken, and what waits for its time. */
  get queuedBytes(): number {
    const { queuedBytes } = this.#connection;
    return this.#pacer === undefined ? queuedBytes : queuedBytes + this.#pacer.heldBytes;
  }

  /** @throws RingwireError as documented at `Socket.send`. */
  text(text: string): SendStatus {
    if (utf8Bound(text) >= this.#elaborateFromBytes) {
      const bytes = scratchFor(text);
      const end = bytes === scratch ? writeUtf8(text, bytes, 0) : bytes.length;
      return this.bytes(OPCODE_TEXT, bytes, 0, end);
    }
    const frameBytes = utf8Bound(text) + MAX_HEADER_BYTES;
    if (frameBytes <= this.#creditBytes || this.#hasCredit(frameBytes)) {
      this.#creditBytes -= frameBytes;
      this.#counters.messagesSent++;
      this.#sender.text(text);
      return "sent";
    }
    if (!this.#hasRoom(utf8Bound(text)) && !this.#hasRoom(encoder.encode(text).length)) return this.#drop();
    this.#counters.messagesSent++;
    this.#sender.text(text);
    return this.#status();
  }

  /**
   * @param key - What the bytes are still masked with; 0: nothing.
   * @throws RingwireError as documented at `Socket.send`.
   */
  bytes(
    opcode: typeof OPCODE_BINARY | typeof OPCODE_TEXT,
    bytes: Uint8Array,
    start = 0,
    end: number = bytes.length,
    key = 0,
  ): SendStatus {
    if (end - start >= this.#elaborateFromBytes) return this.#elaborate(opcode, bytes, start, end, key);
    const frameBytes = end - start + MAX_HEADER_BYTES;
    if (frameBytes <= this.#creditBytes || this.#hasCredit(frameBytes)) {
      this.#creditBytes -= frameBytes;
      this.#counters.messagesSent++;
      this.#sender.bytes(opcode, bytes, start, end, key);
      return "sent";
    }
    if (!this.#hasRoom(end - start)) return this.#drop();
    this.#counters.messagesSent++;
    this.#sender.bytes(opcode, bytes, start, end, key);
    return this.#status();
  }

  /**
   * Messages that are compressed or may have to wait. Whether there is room is asked for the message as it is: once it is compressed it cannot be
   * taken back, because those that follow may refer to it. What then counts as queued is what was really sent.
   */
  #elaborate(opcode: number, bytes: Uint8Array, start: number, end: number, key: number): SendStatus {
    if (!this.#hasRoom(end - start)) return this.#drop();
    if (key !== 0) {
      const plain = bytes.slice(start, end);
      this.#transport.kernels.unmask(plain, 0, plain.length, key >>> 0);
      return this.#elaborate(opcode, plain, 0, plain.length, 0);
    }
    this.#counters.messagesSent++;
    if (this.#pacer === undefined || this.#pacer.takes(end - start)) {
      this.#send(opcode, bytes, start, end);
      return this.#status();
    }
    this.#pacer.hold({ opcode, bytes: bytes.slice(start, end) });
    this.#status();
    // Whatever the queue holds: it does not leave with this turn.
    this.#wantsDrain = true;
    return "queued";
  }

  /** Sends a message, compressed if that is agreed on and worth it. */
  #send(opcode: number, bytes: Uint8Array, start: number, end: number): void {
    const compressor = this.#compressor;
    this.#creditBytes = 0;
    const isWorthIt = compressor !== undefined && end - start >= compressor.fromBytes;
    const size = isWorthIt ? compressor.compress(bytes, start, end) : 0;
    if (size === 0) this.#sender.bytes(opcode, bytes, start, end);
    else this.#sender.compressed(opcode, (compressor as Compressor).output, 0, size);
  }

  /** Pings a silent peer, unless the queue is full: then a ping would not reach it, and counts as unanswered. Returns whether it was sent. */
  keepalivePing(): boolean {
    const hasRoom = this.#hasRoom(0);
    if (hasRoom) this.#control(OPCODE_PING, EMPTY);
    return hasRoom;
  }

  /** @param payload - At most 125 bytes, see `toControlPayload`. */
  control(opcode: typeof OPCODE_PING | typeof OPCODE_PONG, payload: Uint8Array): SendStatus {
    if (!this.#hasRoom(payload.length)) return this.#refuse();
    this.#control(opcode, payload);
    return this.#status();
  }

  /**
   * Answers a Ping. While the peer does not read, only the latest is answered, once it reads again
   * (RFC 6455 §5.5.3 allows it), so a flood of pings cannot fill the queue.
   */
  answerPing(payload: Uint8Array): void {
    if (this.#connection.queuedBytes > Math.min(MAX_PONG_QUEUE_BYTES, this.#settings.lowWaterBytes)) {
      this.#pendingPong = payload.slice();
    } else {
      this.#pendingPong = undefined;
      this.#control(OPCODE_PONG, payload);
    }
  }

  /** A Close frame goes out whatever the queue holds, and before it what waits for its time. */
  close(code: number, reason: string): void {
    this.#pendingPong = undefined;
    for (const { opcode, bytes } of this.#pacer?.release() ?? []) this.#send(opcode, bytes, 0, bytes.length);
    this.#sender.close(code, reason);
  }

  /** Resolves once at or below the low mark. */
  drained(): Promise<void> {
    if (this.queuedBytes <= this.#settings.lowWaterBytes) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiters ??= [];
      this.#waiters.push({ resolve, reject });
    });
  }

  /** The queue became shorter. Returns whether the `drain` handler is due. */
  shrank(): boolean {
    // After every turn that sent anything: nearly always nobody waits.
    const isAwaited = this.#wantsDrain || this.#pendingPong !== undefined || this.#waiters !== undefined;
    if (!isAwaited || this.queuedBytes > this.#settings.lowWaterBytes) return false;
    if (this.#isCongested) {
      this.#isCongested = false;
      this.#owner.relieved();
    }
    if (this.#pendingPong !== undefined) {
      this.#control(OPCODE_PONG, this.#pendingPong);
      this.#pendingPong = undefined;
    }
    const waiters = this.#waiters ?? [];
    this.#waiters = undefined;
    for (const waiter of waiters) waiter.resolve();
    const isDue = this.#wantsDrain;
    this.#wantsDrain = false;
    return isDue;
  }

  /** The connection is gone: nobody will be drained any more. Returns whether a `drain` handler was due one day. */
  abandon(): boolean {
    this.#pacer?.release();
    const waiters = this.#waiters ?? [];
    this.#waiters = undefined;
    const wasDue = this.#wantsDrain;
    this.#wantsDrain = false;
    // Made for each that waits, mostly none: an error costs more than all the rest of the end of a connection.
    for (const waiter of waiters) {
      waiter.reject(new RingwireError("ERR_NOT_OPEN", "Cannot wait for drain: the socket has closed"));
    }
    return wasDue;
  }

  #control(opcode: typeof OPCODE_PING | typeof OPCODE_PONG, payload: Uint8Array): void {
    this.#creditBytes = 0;
    this.#pacer?.charge();
    this.#sender.bytes(opcode, payload);
  }

  /** Looks at the queue: whether a frame would leave it below the high mark. */
  #hasCredit(frameBytes: number): boolean {
    const { highWaterBytes, fragmentBytes } = this.#settings;
    // Fragments have more headers than a credit counts.
    const maxCreditBytes = fragmentBytes > 0 ? 0 : Math.floor(highWaterBytes);
    const creditBytes = maxCreditBytes - this.#connection.queuedBytes;
    const isEnough = frameBytes <= creditBytes;
    this.#creditBytes = isEnough ? creditBytes : 0;
    return isEnough;
  }

  /**
   * Whether a payload fits. What this turn has gathered is handed to the kernel first: it may take all of it. The frame's
   * own few bytes do not count, so that a message of exactly `maxBufferedBytes` can be sent.
   */
  #hasRoom(payloadBytes: number): boolean {
    const roomBytes = this.#settings.maxBufferedBytes - payloadBytes;
    if (this.queuedBytes <= roomBytes) return true;
    this.#transport.flush();
    return this.queuedBytes <= roomBytes;
  }

  #drop(): SendStatus {
    this.#counters.messagesDropped++;
    return this.#refuse();
  }

  #refuse(): SendStatus {
    const { whenFull, maxBufferedBytes } = this.#settings;
    if (this.queuedBytes === 0) {
      throw new RingwireError(
        "ERR_MESSAGE_TOO_LARGE",
        `Cannot send a message larger than maxBufferedBytes (${maxBufferedBytes} bytes); raise the option or split the message`,
      );
    }
    this.#isLate();
    if (whenFull === "wait") {
      throw new RingwireError(
        "ERR_BACKPRESSURE",
        "Cannot send: the queue is full; await drained() and send again",
      );
    }
    if (whenFull === "close") this.#owner.overflowed();
    return "dropped";
  }

  /** The peer is slow, and the program is about to hear it. */
  #isLate(): void {
    this.#counters.backpressures++;
    this.#wantsDrain = true;
    if (this.#isCongested) return;
    this.#isCongested = true;
    this.#owner.congested();
  }

  #status(): SendStatus {
    const { highWaterBytes } = this.#settings;
    if (this.queuedBytes <= highWaterBytes) return "sent";
    this.#transport.flush();
    if (this.queuedBytes <= highWaterBytes) return "sent";
    this.#isLate();
    return "queued";
  }
}

/** The bytes of what a program gives to `send`, without copying. @throws TypeError for anything else. */
export function toBytes(data: ArrayBuffer | ArrayBufferView, action: string): Uint8Array {
  if (data instanceof Uint8Array) return data;
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  // Numbers and arrays are refused, not turned into zeroed or uninitialised buffers (CVE-2016-10518).
  throw new TypeError(`Cannot ${action} ${kindOf(data)}: give a string, an ArrayBuffer or a view of one`);
}

/** The bytes of a control frame's payload. @throws TypeError, RangeError. */
export function toControlPayload(data: string | ArrayBuffer | ArrayBufferView, action: string): Uint8Array {
  const payload = typeof data === "string" ? encoder.encode(data) : toBytes(data, action);
  if (payload.length > MAX_CONTROL_BYTES) {
    throw new RangeError(`Cannot ${action} with ${payload.length} bytes: at most 125 (RFC 6455 §5.5)`);
  }
  return payload;
}
