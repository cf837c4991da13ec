/**
 * All messages of one read, without an object per message: a list of numbers and one cursor, both reused.
 */

import { AsciiRun, type Latin1Reader } from "../protocol/ascii_run.ts";
import type { Kernels } from "../protocol/kernels.ts";
import {
  BUFFER_SHIFT,
  KIND_MASK,
  MessageList,
  RECORD_END,
  RECORD_KEY,
  RECORD_KIND,
  RECORD_START,
  RECORD_WORDS,
  SHORT_ASCII,
} from "../protocol/message_list.ts";
import { OPCODE_BINARY, OPCODE_TEXT } from "../protocol/opcode.ts";
import { readUtf8, type Utf8Reader } from "../protocol/text.ts";
import type { SendStatus } from "./handlers.ts";
import { parseJson, type StandardSchema } from "./json.ts";
import type { BatchMessage, MessageBatch } from "./message_batch.ts";
import type { Outbox } from "./outbox.ts";

const EMPTY = new Uint8Array(0);
/** The read among a batch's buffers. */
const READ = 0;

/** The cursor once an iteration is over: no number of steps leads from there to a message. */
const ENDED = -(2 ** 30);

let sendMessage: (batch: ReadBatch, outbox: Outbox) => SendStatus;

/** Tells when the messages of a batch came. */
export interface ReceiveClock {
  /** Monotonic nanoseconds, if it is asked for now. */
  nowNs(): number;
}

/** {@link MessageBatch} over a list of numbers: filled by a socket's inbox, walked by its program. */
export class ReadBatch implements MessageBatch, Iterator<BatchMessage>, BatchMessage {
  static {
    sendMessage = (batch: ReadBatch, outbox: Outbox): SendStatus => {
      const at = batch.#at();
      const { records } = batch.list;
      return outbox.bytes(
        (records[at + RECORD_KIND] & KIND_MASK) === OPCODE_BINARY ? OPCODE_BINARY : OPCODE_TEXT,
        batch.#bufferOf(at),
        records[at + RECORD_START],
        records[at + RECORD_END],
        records[at + RECORD_KEY],
      );
    };
  }

  /** The messages, oldest first; for the socket that fills the batch. */
  readonly list: MessageList = new MessageList();
  readonly #kernels: Kernels;
  readonly #zeroCopy: boolean;
  readonly #readUtf8: Utf8Reader;
  /** Where the messages lie: nearly always in the read, which is the first. Others were cut off or compressed, and have been put together elsewhere. */
  readonly #buffers: Uint8Array[] = [EMPTY];
  readonly #asciiRun: AsciiRun;
  #clock: ReceiveClock | undefined = undefined;
  #receivedNs = 0;
  readonly #step: { done: boolean; value: BatchMessage };
  /** The record that the iteration stands at: a multiple of `RECORD_WORDS`. */
  #cursor = ENDED;
  /** Everything is there, and its handler has not returned. */
  #isOpen = false;

  /**
   * @param kernels - What unmasks: a binary message stays masked until somebody looks at it.
   * @param zeroCopy - Whether `bytes()` gives views instead of copies.
   * @param readUtf8 - What texts are read with.
   * @param readLatin1 - The same for ASCII.
   */
  constructor(kernels: Kernels, zeroCopy: boolean, readUtf8: Utf8Reader, readLatin1: Latin1Reader) {
    this.#kernels = kernels;
    this.#zeroCopy = zeroCopy;
    this.#readUtf8 = readUtf8;
    this.#asciiRun = new AsciiRun(readLatin1);
    this.#step = { done: false, value: this };
  }

  get receivedNs(): number {
    if (this.#receivedNs === 0) this.#receivedNs = this.#clock?.nowNs() ?? 0;
    return this.#receivedNs;
  }

  get count(): number {
    return this.list.count;
  }

  /** Says who fills it from now on; undefined: nobody does. */
  lend(clock: ReceiveClock | undefined): void {
    this.#clock = clock;
  }

  /** Makes `bytes[…, end)` the read, if there is none yet. Returns whether messages that lie in it can be listed. */
  adopt(bytes: Uint8Array, end: number): boolean {
    if (this.#buffers[READ] === EMPTY) {
      this.#buffers[READ] = bytes;
      this.#asciiRun.begin(bytes, end);
    }
    return this.#buffers[READ] === bytes;
  }

  /** Appends a message that is unmasked. */
  add(isText: boolean, bytes: Uint8Array, start: number, end: number): void {
    const buffers = this.#buffers;
    const last = buffers.length - 1;
    let buffer = READ;
    if (bytes !== buffers[READ]) buffer = bytes === buffers[last] ? last : buffers.push(bytes) - 1;
    this.list.add(start, end, 0, (isText ? OPCODE_TEXT : OPCODE_BINARY) | (buffer << BUFFER_SHIFT));
  }

  /** Everything is there: it may be read until `clear`. */
  open(): void {
    this.#isOpen = true;
  }

  /** Says when the messages came, where that was before now. */
  stamp(receivedNs: number): void {
    this.#receivedNs = receivedNs;
  }

  /** Empties the batch; for the socket that fills it. Lets go of the buffers. */
  clear(): void {
    // Asked first: engines take long to set a length, and nearly always there is nothing to cut.
    if (this.#buffers.length > 1) this.#buffers.length = 1;
    this.#buffers[READ] = EMPTY;
    this.#asciiRun.begin(EMPTY, 0);
    this.#receivedNs = 0;
    this.list.count = 0;
    this.#isOpen = false;
    this.#cursor = ENDED;
    this.#step.done = true;
  }

  /** Drops what lies behind the message that the iteration stands at, which its handler may still look at. */
  cut(): void {
    this.list.count = this.#cursor < 0 ? 0 : this.#cursor / RECORD_WORDS + 1;
  }

  /** Starts from the first message. One iteration at a time. @throws TypeError where somebody has kept the batch: by now it may be others'. */
  [Symbol.iterator](): Iterator<BatchMessage> {
    if (!this.#isOpen) {
      throw new TypeError(
        "Cannot iterate a batch after its handler has returned: take bytes() or text() there",
      );
    }
    this.#cursor = -RECORD_WORDS;
    this.#step.done = false;
    return this;
  }

  /** Moves to the next message. */
  next(): IteratorResult<BatchMessage> {
    const cursor = this.#cursor + RECORD_WORDS;
    if (cursor < this.list.count * RECORD_WORDS) {
      this.#cursor = cursor;
    } else {
      this.#cursor = ENDED;
      this.#step.done = true;
    }
    return this.#step as IteratorResult<BatchMessage>;
  }

  get isText(): boolean {
    return (this.list.records[this.#at() + RECORD_KIND] & KIND_MASK) !== OPCODE_BINARY;
  }

  get sizeBytes(): number {
    const at = this.#at();
    return this.list.records[at + RECORD_END] - this.list.records[at + RECORD_START];
  }

  bytes(): Uint8Array {
    const at = this.#at();
    const bytes = this.#unmasked(at);
    const start = this.list.records[at + RECORD_START];
    const end = this.list.records[at + RECORD_END];
    return this.#zeroCopy ? bytes.subarray(start, end) : bytes.slice(start, end);
  }

  text(): string {
    const at = this.#at();
    const { records } = this.list;
    const start = records[at + RECORD_START];
    const end = records[at + RECORD_END];
    const kind = records[at + RECORD_KIND] & KIND_MASK;
    if (kind === SHORT_ASCII) return this.#asciiRun.read(start, end);
    const bytes = this.#unmasked(at);
    // A text message was checked before it came here.
    if (kind === OPCODE_TEXT) return this.#readUtf8(bytes, start, end);
    const text = readUtf8(bytes, start, end, this.#readUtf8);
    if (text === undefined) throw new TypeError("Cannot read a binary message as text: it is not UTF-8");
    return text;
  }

  json<Value = unknown>(schema?: StandardSchema<Value>): Value {
    return parseJson(this.text(), schema);
  }

  /** The record that the iteration stands at: outside of one there is none, and memory is others'. */
  #at(): number {
    if (this.#cursor >= 0) return this.#cursor;
    throw new TypeError(
      "Cannot use a message of a batch outside of its iteration, or after the batch handler has returned: take bytes() or text() there",
    );
  }

  #bufferOf(at: number): Uint8Array {
    return this.#buffers[this.list.records[at + RECORD_KIND] >>> BUFFER_SHIFT];
  }

  /** The buffer of a message, which is plain from now on. */
  #unmasked(at: number): Uint8Array {
    const bytes = this.#bufferOf(at);
    const { records } = this.list;
    const key = records[at + RECORD_KEY];
    if (key === 0) return bytes;
    this.#kernels.unmask(bytes, records[at + RECORD_START], records[at + RECORD_END], key >>> 0);
    records[at + RECORD_KEY] = 0;
    return bytes;
  }
}

/** Sends the message that a batch's iteration stands at. For `Socket.send`, not for programs. */
export { sendMessage };
