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
  /** Monotonic time at which the read was handled, nanoseconds. */
  receivedNs: number = 0;
  readonly #zeroCopy: boolean;
  readonly #buffers: Uint8Array[] = [];
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
   */
  constructor(zeroCopy: boolean) {
    this.#zeroCopy = zeroCopy;
    this.#step = { done: false, value: this };
  }

  /** Number of messages. */
  get count(): number {
    return this.#count;
  }

  /** Appends a message; for the socket that fills the batch. */
  add(isText: boolean, bytes: Uint8Array, start: number, end: number): void {
    const index = this.#count++;
    this.#buffers[index] = bytes;
    this.#starts[index] = start;
    this.#ends[index] = end;
    this.#texts[index] = isText;
  }

  /** Empties the batch; for the socket that fills it. Lets go of the buffers. */
  clear(): void {
    this.#buffers.length = 0;
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
    return this.#texts[this.#index];
  }

  get sizeBytes(): number {
    return this.#ends[this.#index] - this.#starts[this.#index];
  }

  bytes(): Uint8Array {
    const at = this.#index;
    const bytes = this.#buffers[at];
    return this.#zeroCopy
      ? bytes.subarray(this.#starts[at], this.#ends[at])
      : bytes.slice(this.#starts[at], this.#ends[at]);
  }

  text(): string {
    const at = this.#index;
    const text = readUtf8(this.#buffers[at], this.#starts[at], this.#ends[at]);
    if (text === undefined) throw new TypeError("Cannot read a binary message as text: it is not UTF-8");
    return text;
  }

  json<Value = unknown>(): Value {
    return JSON.parse(this.text()) as Value;
  }

  /** Sends the message that the iteration stands at; for `Socket.send`. */
  sendTo(outbox: Outbox): SendStatus {
    const at = this.#index;
    if (at < 0 || at >= this.#count)
      throw new TypeError("Cannot send a batch: send its messages, in an iteration");
    const opcode = this.#texts[at] ? OPCODE_TEXT : OPCODE_BINARY;
    return outbox.bytes(opcode, this.#buffers[at], this.#starts[at], this.#ends[at]);
  }
}
