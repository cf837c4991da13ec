/**
 * Collects a message that does not come in one piece: in a buffer that grows with the bytes that really arrive,
 * and with its UTF-8 checked as they do.
 */

import { copyBytes } from "./copy_bytes.ts";
import type { Kernels } from "./kernels.ts";
import { OPCODE_CONTINUATION, OPCODE_TEXT } from "./opcode.ts";
import { Utf8Stream } from "./utf8.ts";

/** First buffer of a message, unless the message is smaller or more of it has come already. */
const FIRST_BUFFER_BYTES = 512;

/** Larger ones are lent, where nobody keeps the message. */
const MAX_OWN_BYTES = 8_192;

const EMPTY = new Uint8Array(0);

/** Lends memory to messages that nobody keeps. */
export interface MessageMemory {
  /** A buffer of at least so many bytes, whatever they are. */
  take(bytes: number): Uint8Array;
  /** Takes one back that nobody looks at any more. */
  give(buffer: Uint8Array): void;
}

/** One message after the other, each in a buffer of its own, or in one that is lent until it was looked at. */
export class MessageBuffer {
  /** OPCODE_TEXT or OPCODE_BINARY while a message is open. */
  opcode: number;
  /** Frames of the open message so far. */
  fragments: number;
  /** The bytes so far are `bytes[0, sizeBytes)`. */
  bytes: Uint8Array;
  sizeBytes: number;

  readonly #text: Utf8Stream;
  /** Undefined: who gets the message may keep its buffer. */
  #memory: MessageMemory | undefined = undefined;

  constructor(kernels: Kernels) {
    this.opcode = OPCODE_CONTINUATION;
    this.fragments = 0;
    this.bytes = EMPTY;
    this.sizeBytes = 0;
    this.#text = new Utf8Stream(kernels);
  }

  /**
   * Begins a message.
   *
   * @param memory - What lends buffers for it; undefined: its buffer is given away with it.
   */
  open(opcode: number, memory: MessageMemory | undefined): void {
    this.opcode = opcode;
    this.#memory = memory;
    this.#text.reset();
  }

  /** Whether the message could end here, which a text inside a UTF-8 sequence cannot. */
  get canEnd(): boolean {
    return this.#text.complete;
  }

  /** Whether the buffer is to be given back. */
  get isLent(): boolean {
    return this.#memory !== undefined && this.bytes.length > MAX_OWN_BYTES;
  }

  /**
   * Adds `input[start, end)`.
   *
   * @param limitBytes - What the message can still become, at most.
   * @returns false when it is a text and cannot be UTF-8 any more.
   */
  append(input: Uint8Array, start: number, end: number, limitBytes: number): boolean {
    if (start === end) return true;
    if (this.opcode === OPCODE_TEXT && !this.#text.push(input, start, end)) return false;
    const needed = this.sizeBytes + (end - start);
    if (needed > this.bytes.length) this.#grow(needed, limitBytes);
    copyBytes(input, start, end, this.bytes, this.sizeBytes);
    this.sizeBytes = needed;
    return true;
  }

  /**
   * Makes room for `needed` bytes, all of which have arrived. Twice that, so that copying stays linear, but
   * never more than the message can still become; a declared length alone moves nothing.
   */
  #grow(needed: number, limitBytes: number): void {
    const wanted = Math.min(limitBytes, Math.max(needed * 2, FIRST_BUFFER_BYTES));
    const memory = wanted > MAX_OWN_BYTES ? this.#memory : undefined;
    const grown = memory === undefined ? new Uint8Array(wanted) : memory.take(wanted);
    copyBytes(this.bytes, 0, this.sizeBytes, grown, 0);
    if (this.isLent) this.#memory!.give(this.bytes);
    this.bytes = grown;
  }

  /** Ends a message that nobody looks at any more. */
  giveBack(): void {
    if (this.isLent) this.#memory!.give(this.bytes);
    this.release();
  }

  /** Ends the message, or gives it up. Its buffer is not touched again. */
  release(): void {
    this.opcode = OPCODE_CONTINUATION;
    this.fragments = 0;
    this.bytes = EMPTY;
    this.sizeBytes = 0;
  }
}
