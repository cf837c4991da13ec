/**
 * All messages of one read, without an object per message: parallel arrays and one cursor, both reused.
 */

import { OPCODE_BINARY, OPCODE_TEXT } from "../protocol/opcode.ts";
import { readUtf8 } from "../protocol/text.ts";
import type { SendStatus } from "./handlers.ts";
import type { Outbox } from "./outbox.ts";

/** The message of a batch that an iteration stands at. The same object for each: valid until the iteration goes on. */
export interface BatchMessage {
  /** Whether it came as a text message; else binary. */
  readonly isText: boolean;
  /** Payload bytes. */
  readonly sizeBytes: number;
  /** The message as bytes: a copy, or with `zeroCopy` a view that is valid until the handler returns. */
  bytes(): Uint8Array;
  /** The message as a string. @throws TypeError when it is binary and not UTF-8. */
  text(): string;
  /** The message parsed as JSON. @throws SyntaxError when it is not JSON. */
  json<Value = unknown>(): Value;
}

const EMPTY = new Uint8Array(0);

let sendMessage: (batch: MessageBatch, outbox: Outbox) => SendStatus;

/**
 * Messages that arrived together, oldest first. Valid until the `batch` handler returns.
 *
 * @example
 * ```ts
 * import { connect, serve } from "ringwire";
 *
 * const server = await serve({ port: 0, websocket: { open: (ws) => void ws.send("7") } });
 * const socket = await connect(server.url, {
 *   websocket: {
 *     batch(ws, messages) {
 *       for (const message of messages) console.log(message.text(), messages.receivedNs);
 *       ws.close();
 *     },
 *   },
 * });
 * await socket.closed;
 * await server.stop();
 * ```
 */
export class MessageBatch implements Iterable<BatchMessage>, Iterator<BatchMessage>, BatchMessage {
  static {
    sendMessage = (batch: MessageBatch, outbox: Outbox): SendStatus => {
      const at = batch.#at();
      const opcode = batch.#texts[at] ? OPCODE_TEXT : OPCODE_BINARY;
      return outbox.bytes(opcode, batch.#bufferOf(at), batch.#starts[at], batch.#ends[at]);
    };
  }

  readonly #zeroCopy: boolean;
  readonly #nowNs: () => number;
  /** Where the messages lie: nearly always in one read. */
  #buffer: Uint8Array = EMPTY;
  /** By index: messages that were put together elsewhere because they came in several reads. */
  #others: Map<number, Uint8Array> | undefined = undefined;
  #receivedNs = 0;
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly #texts: boolean[] = [];
  readonly #step: { done: boolean; value: BatchMessage };
  #count = 0;
  #index = -1;

  /**
   * Sockets make batches; programs need this only in their own tests.
   *
   * @param zeroCopy - Whether `bytes()` gives views instead of copies.
   * @param nowNs - The clock: monotonic nanoseconds.
   */
  constructor(zeroCopy: boolean, nowNs: () => number) {
    this.#zeroCopy = zeroCopy;
    this.#nowNs = nowNs;
    this.#step = { done: false, value: this };
  }

  /** Monotonic time, nanoseconds, at which the read was handled: taken when first asked for. */
  get receivedNs(): number {
    if (this.#receivedNs === 0) this.#receivedNs = this.#nowNs();
    return this.#receivedNs;
  }

  /** Number of messages. */
  get count(): number {
    return this.#count;
  }

  /** Appends a message; for the socket that fills the batch. */
  add(isText: boolean, bytes: Uint8Array, start: number, end: number): void {
    const index = this.#count++;
    if (bytes !== this.#buffer) this.#addBuffer(index, bytes);
    this.#starts[index] = start;
    this.#ends[index] = end;
    this.#texts[index] = isText;
  }

  /** Says when the messages came, where that was before now; for the socket that fills the batch. */
  stamp(receivedNs: number): void {
    this.#receivedNs = receivedNs;
  }

  /** Empties the batch; for the socket that fills it. Lets go of the buffers. */
  clear(): void {
    this.#buffer = EMPTY;
    this.#others = undefined;
    this.#receivedNs = 0;
    this.#count = 0;
    this.#index = -1;
  }

  /** Starts from the first message. One iteration at a time. */
  [Symbol.iterator](): Iterator<BatchMessage> {
    this.#index = -1;
    this.#step.done = false;
    return this;
  }

  /** Moves to the next message. */
  next(): IteratorResult<BatchMessage> {
    if (++this.#index >= this.#count) this.#step.done = true;
    return this.#step as IteratorResult<BatchMessage>;
  }

  get isText(): boolean {
    return this.#texts[this.#at()];
  }

  get sizeBytes(): number {
    const at = this.#at();
    return this.#ends[at] - this.#starts[at];
  }

  bytes(): Uint8Array {
    const at = this.#at();
    const bytes = this.#bufferOf(at);
    return this.#zeroCopy
      ? bytes.subarray(this.#starts[at], this.#ends[at])
      : bytes.slice(this.#starts[at], this.#ends[at]);
  }

  text(): string {
    const at = this.#at();
    const text = readUtf8(this.#bufferOf(at), this.#starts[at], this.#ends[at]);
    if (text === undefined) throw new TypeError("Cannot read a binary message as text: it is not UTF-8");
    return text;
  }

  json<Value = unknown>(): Value {
    return JSON.parse(this.text()) as Value;
  }

  /** The index of the message that the iteration stands at: outside of one there is none, and memory is others'. */
  #at(): number {
    if (this.#index >= 0 && this.#index < this.#count) return this.#index;
    throw new TypeError(
      "Cannot use a message of a batch outside of its iteration, or after the batch handler has returned: take bytes() or text() there",
    );
  }

  #addBuffer(index: number, bytes: Uint8Array): void {
    if (index === 0) {
      this.#buffer = bytes;
      return;
    }
    this.#others ??= new Map();
    this.#others.set(index, bytes);
  }

  #bufferOf(index: number): Uint8Array {
    return this.#others?.get(index) ?? this.#buffer;
  }
}

/** Sends the message that a batch's iteration stands at. For `Socket.send`, not for programs. */
export { sendMessage };
