/**
 * Turns the bytes of a WebSocket connection into messages and control frames (RFC 6455 §5), for either role.
 *
 * Pull, not push: the caller feeds a range of bytes and asks `next()` for events until it answers
 * `DECODE_MORE`. A message that lies whole in the fed range is unmasked where it is and never copied; only
 * what is cut off is collected, in a buffer that grows with the bytes that really came.
 *
 * Every rule is checked as early as the bytes at hand allow, and the first broken rule ends the decoder.
 */

import { type ErrorCode, RingwireError } from "../errors.ts";
import {
  CLOSE_INVALID_DATA,
  CLOSE_NO_STATUS,
  CLOSE_PROTOCOL_ERROR,
  CLOSE_TOO_LARGE,
  isReceivableCloseCode,
} from "./close_code.ts";
import { INFLATE_DONE, INFLATE_TOO_LARGE, type Inflater } from "./codec.ts";
import { copyBytes } from "./copy_bytes.ts";
import { MAX_HEADER_BYTES } from "./frame_encoder.ts";
import type { Kernels } from "./kernels.ts";
import { isAscii, readKey, rotateKey, unmaskShort } from "./mask.ts";
import { MessageBuffer, type MessageMemory } from "./message_buffer.ts";
import { MAX_SHORT_ASCII_BYTES, type MessageList, SHORT_ASCII } from "./message_list.ts";
import { OPCODE_BINARY, OPCODE_CLOSE, OPCODE_CONTINUATION, OPCODE_PONG, OPCODE_TEXT } from "./opcode.ts";
import { readUtf8 } from "./text.ts";

/** Nothing whole is left in the fed range; feed more. */
export const DECODE_MORE = 0;
/** A text message. */
export const DECODE_TEXT = 1;
/** A binary message. */
export const DECODE_BINARY = 2;
/** A close frame. What follows it is discarded (RFC 6455 §5.5.1). */
export const DECODE_CLOSE = 8;
/** A ping. */
export const DECODE_PING = 9;
/** A pong. */
export const DECODE_PONG = 10;
/** The peer broke a rule; see `failure`. Every further `next()` answers the same. */
export const DECODE_FAILED = 16;

/** How a decoder is set up. */
export interface MessageDecoderOptions {
  /** Whether the peer must mask, that is: whether we are the server (RFC 6455 §5.1). */
  readonly masked: boolean;
  /** Largest message, in bytes of payload, all fragments together. */
  readonly maxMessageBytes: number;
  /** Most frames that one message may come in. */
  readonly maxFragments: number;
  /** The byte loops for payloads beyond some tens of bytes. */
  readonly kernels: Kernels;
  /** Whether to check the UTF-8 of text messages that lie in one fed range. Collected ones are always checked. */
  readonly checkText: boolean;
  /**
   * Restores messages once permessage-deflate was agreed on (RFC 7692): called when the first compressed one has come. Undefined:
   * it was not, and RSV1 is a fault like the other reserved bits.
   */
  readonly openInflater?: (() => Inflater) | undefined;
  /** What long texts are put together in, where the caller keeps no bytes of them; undefined: each in a buffer that it may keep. */
  readonly textMemory?: MessageMemory | undefined;
  /** The same for binary messages. */
  readonly binaryMemory?: MessageMemory | undefined;
}

const FIN_BIT = 0x80;
/** RSV1–3: bits that only an extension can give a meaning. */
const RESERVED_BITS = 0x70;
/** RSV1: the message is compressed (RFC 7692 §6). */
const COMPRESSED_BIT = 0x40;
const OPCODE_BITS = 0x0f;
const MASK_BIT = 0x80;
const LENGTH_BITS = 0x7f;
const FINAL_TEXT = FIN_BIT | OPCODE_TEXT;
const FINAL_BINARY = FIN_BIT | OPCODE_BINARY;

/** Largest payload of a frame with a 16-bit length. */
const MAX_SHORT_BYTES = 65_535;
/** Largest payload of a control frame (RFC 6455 §5.5), and of a frame with a 7-bit length. */
const MAX_CONTROL_BYTES = 125;

// What is held between two calls, as bits of one number: the hot path asks for "nothing" in one compare.
const HOLDS_HEADER = 1;
const HOLDS_FRAME = 2;
const HOLDS_MESSAGE = 4;
/** The buffer of the last message, until the next call. */
const HOLDS_LENT = 8;
const HAS_CLOSED = 16;
const HAS_FAILED = 32;

/** An answer of the inner steps: no event came of it, go on. */
const GO_ON = -1;
/** An answer of `#readHeader` and `#openText`: a rule is broken. */
const BROKEN = -1;

const EMPTY = new Uint8Array(0);
const EMPTY_VIEW = new DataView(EMPTY.buffer);

/**
 * A decoder for one direction of one connection.
 *
 * @example
 * ```ts
 * decoder.feed(bytes, start, end);
 * for (let event = decoder.next(); event !== DECODE_MORE; event = decoder.next()) {
 *   if (event === DECODE_FAILED) throw decoder.failure;
 *   if (event === DECODE_BINARY) handle(decoder.bytes.subarray(decoder.start, decoder.end));
 * }
 * ```
 */
export class MessageDecoder {
  /** Where the payload of the last event is, unmasked: `bytes[start, end)`. Valid until the next call, unless `owned`. */
  bytes: Uint8Array;
  start: number = 0;
  end: number = 0;
  /** The payload's buffer was made for this message and is given away: the caller may keep it. */
  owned: boolean;
  /** After DECODE_TEXT: the payload is known to be UTF-8. */
  textChecked: boolean;
  /** After DECODE_CLOSE: its code, or 1005 when it had none. */
  closeCode: number;
  /** After DECODE_CLOSE: its reason. */
  closeReason: string;
  /** After DECODE_FAILED: what was wrong, with the close code to send. */
  failure: RingwireError | undefined;

  // Numbers from the beginning, here and wherever it is hot: V8 looks each time at what a field holds that was ever undefined.
  readonly #kernels: Kernels;
  /** Payloads of up to so many bytes are unmasked, or looked at, by a loop here. */
  readonly #shortBytes: number = 0;
  readonly #maskBit: number = 0;
  /** Header size of a frame with a 7-bit length. */
  readonly #smallHeaderBytes: number = 0;
  readonly #maxSmallBytes: number = 0;
  readonly #maxMessageBytes: number;
  /** Largest message that is gathered. */
  readonly #maxGatheredBytes: number = 0;
  readonly #maxFragments: number;
  readonly #checkText: boolean;
  readonly #openInflater: (() => Inflater) | undefined;
  readonly #textMemory: MessageMemory | undefined;
  readonly #binaryMemory: MessageMemory | undefined;
  #inflater: Inflater | undefined;
  /** Most bytes of payload that a compressed message may come in. */
  readonly #maxCompressedBytes: number;

  #input: Uint8Array;
  /** Of `#input`; where the peer does not mask, only once a short text has been gathered. */
  #view: DataView;
  #at = 0;
  #inputEnd = 0;
  #holds = 0;

  /** Bytes of a header that was cut off. */
  #header: Uint8Array;
  #headerBytes = 0;

  /** First byte, payload size, bytes of it still to come, and key (rotated to the next byte) of the open frame. */
  #first = 0;
  #frameBytes = 0;
  #left = 0;
  #key = 0;

  /** Payload of a control frame that was cut off. */
  #control: Uint8Array;

  /** The message that is being collected, once there has been one. */
  #message: MessageBuffer | undefined;
  /** The opcode of the message that is being collected, if it is compressed; else 0. */
  #compressedOpcode = 0;

  constructor(options: MessageDecoderOptions) {
    this.bytes = EMPTY;
    this.owned = false;
    this.textChecked = false;
    this.closeCode = CLOSE_NO_STATUS;
    this.closeReason = "";
    this.failure = undefined;
    this.#kernels = options.kernels;
    this.#shortBytes = options.masked ? options.kernels.shortBytes : MAX_SHORT_ASCII_BYTES;
    this.#maskBit = options.masked ? MASK_BIT : 0;
    this.#smallHeaderBytes = options.masked ? 6 : 2;
    this.#maxSmallBytes = Math.min(MAX_CONTROL_BYTES, options.maxMessageBytes);
    this.#maxMessageBytes = options.maxMessageBytes;
    this.#maxGatheredBytes = Math.min(options.maxMessageBytes, MAX_SHORT_BYTES) | 0;
    this.#maxFragments = options.maxFragments;
    this.#checkText = options.checkText;
    this.#openInflater = options.openInflater;
    this.#textMemory = options.textMemory;
    this.#binaryMemory = options.binaryMemory;
    this.#inflater = undefined;
    this.#maxCompressedBytes = deflateBound(options.maxMessageBytes);
    this.#input = EMPTY;
    this.#view = EMPTY_VIEW;
    this.#header = EMPTY;
    this.#control = EMPTY;
    this.#message = undefined;
  }

  /** Whether an incomplete frame or message is held: what a deadline for the peer is about. */
  get inMessage(): boolean {
    return (this.#holds & (HOLDS_HEADER | HOLDS_FRAME | HOLDS_MESSAGE)) !== 0;
  }

  /** Whether it remembers nothing of what it was fed: the bytes of another connection may follow. */
  get isIdle(): boolean {
    return this.#holds === 0 && this.#at === this.#inputEnd && this.#inflater === undefined;
  }

  /** Whether the payload of the last event lies in memory that is another message's after the next call. */
  get isLent(): boolean {
    return (this.#holds & HOLDS_LENT) !== 0;
  }

  /** Where the fed range ends. */
  get inputEnd(): number {
    return this.#inputEnd;
  }

  /** Bytes collected so far of an incomplete message. */
  get messageBytes(): number {
    return this.#message?.sizeBytes ?? 0;
  }

  /** Memory held for a message, in bytes: at most twice what has come of it, or 512. What is lent may be larger. */
  get retainedBytes(): number {
    return this.#message?.bytes.length ?? 0;
  }

  /**
   * Gives the next bytes of the connection, `bytes[start, end)`. They are unmasked in place, and must stay as
   * they are until `next()` has answered `DECODE_MORE`; by then whatever is incomplete has been copied.
   *
   * @throws TypeError when the range fed before was not decoded to its end.
   */
  feed(bytes: Uint8Array, start: number, end: number): void {
    if (this.#at < this.#inputEnd && this.#holds < HAS_CLOSED) {
      throw new TypeError("Cannot feed a MessageDecoder before next() has answered DECODE_MORE");
    }
    this.#inflater?.begin();
    this.#input = bytes;
    this.#view = this.#maskBit === 0 ? EMPTY_VIEW : this.#kernels.viewOf(bytes);
    this.#at = start;
    this.#inputEnd = end;
  }

  /** Takes back what was fed and is not decoded yet, as a copy: to be fed again later. */
  takeRest(): Uint8Array {
    const rest = this.#input.slice(this.#at, this.#inputEnd);
    this.#releaseInput();
    return rest;
  }

  /** Gives back what decompression holds. To be called once the connection is gone; nothing can be decoded then. */
  close(): void {
    this.#inflater?.close();
    this.#inflater = undefined;
    this.#message?.release();
    if (this.#holds < HAS_CLOSED) this.#holds = HAS_CLOSED;
    this.#releaseInput();
  }

  /** The next event: one of the `DECODE_` constants. */
  next(): number {
    // The hot path: a whole small message in one frame, with nothing held from before.
    const at = this.#at;
    if (this.#holds !== 0 || this.#inputEnd - at < 2) return this.#nextSlow();
    const bytes = this.#input;
    const first = bytes[at];
    // On the wrong mask bit this is negative or above any small length, and the slow path names the rule.
    const size = bytes[at + 1] - this.#maskBit;
    if ((first !== FINAL_BINARY && first !== FINAL_TEXT) || size < 0 || size > this.#maxSmallBytes) {
      return this.#nextSlow();
    }
    const start = at + this.#smallHeaderBytes;
    const end = start + size;
    if (end > this.#inputEnd) return this.#nextSlow();
    this.#at = end;
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.owned = false;
    let seen = 0x80;
    if (this.#maskBit !== 0) {
      const view = this.#view;
      const key = view.getInt32(start - 4, true);
      if (size <= this.#shortBytes) seen = unmaskShort(bytes, view, start, end, key);
      else this.#kernels.unmask(bytes, start, end, key >>> 0);
    }
    if (first === FINAL_BINARY) return DECODE_BINARY;
    return this.#deliverText(isAscii(seen));
  }

  /**
   * Takes as many whole messages of up to 64 KiB as follow one another, without an event for each: most of what a busy connection
   * brings. Binary ones are left masked, with their key, because who forwards one can unmask it while copying. Stops at
   * anything else and when the list is full; `next()` goes on from there.
   */
  gather(list: MessageList): void {
    if (this.#holds !== 0) return;
    const bytes = this.#input;
    const view = this.#view;
    const inputEnd = this.#inputEnd;
    const maskBit = this.#maskBit;
    const headerBytes = this.#smallHeaderBytes;
    const maxBytes = this.#maxGatheredBytes;
    let at = this.#at;
    while (inputEnd - at >= 2) {
      const first = bytes[at];
      let size = bytes[at + 1] - maskBit;
      if ((first !== FINAL_BINARY && first !== FINAL_TEXT) || size < 0 || size > 126) break;
      let start = at + headerBytes;
      if (size === 126) {
        if (inputEnd - at < 4) break;
        size = (bytes[at + 2] << 8) | bytes[at + 3];
        if (size < 126) break;
        start += 2;
      }
      if (size > maxBytes) break;
      const end = start + size;
      if (end > inputEnd || list.isFull) break;
      at = end;
      let key = maskBit === 0 ? 0 : view.getInt32(start - 4, true);
      let kind: number = OPCODE_BINARY;
      if (first === FINAL_TEXT) {
        kind = this.#openText(start, end, key);
        if (kind === BROKEN) return;
        key = 0;
      }
      list.add(start, end, key, kind);
    }
    this.#at = at;
  }

  /**
   * Unmasks a text of the fed range and checks its UTF-8; fails the decoder when it is none.
   *
   * @returns How it is listed, or BROKEN.
   */
  #openText(start: number, end: number, key: number): number {
    const bytes = this.#input;
    let seen = 0x80;
    if (end - start <= this.#shortBytes) {
      // Key 0 changes nothing: in one look it is known to be ASCII.
      if (this.#view === EMPTY_VIEW) this.#view = this.#kernels.viewOf(bytes);
      seen = unmaskShort(bytes, this.#view, start, end, key);
    } else if (key !== 0) {
      this.#kernels.unmask(bytes, start, end, key >>> 0);
    }
    if (isAscii(seen)) return end - start <= MAX_SHORT_ASCII_BYTES ? SHORT_ASCII : OPCODE_TEXT;
    if (this.#kernels.utf8(bytes, start, end) === 0) return OPCODE_TEXT;
    this.#failText();
    return BROKEN;
  }

  /** A text message in one range: knows or checks that it is UTF-8, or leaves that to the caller. */
  #deliverText(isKnown: boolean): number {
    this.textChecked = isKnown || this.#checkText;
    if (!isKnown && this.#checkText && this.#kernels.utf8(this.bytes, this.start, this.end) !== 0) {
      return this.#failText();
    }
    return DECODE_TEXT;
  }

  #nextSlow(): number {
    if ((this.#holds & HOLDS_LENT) !== 0) {
      this.#holds &= ~HOLDS_LENT;
      this.#message!.giveBack();
    }
    for (;;) {
      if (this.#holds >= HAS_CLOSED) {
        this.#releaseInput();
        return (this.#holds & HAS_FAILED) !== 0 ? DECODE_FAILED : DECODE_MORE;
      }
      if (this.#at === this.#inputEnd) {
        this.#releaseInput();
        return DECODE_MORE;
      }
      const event = (this.#holds & HOLDS_FRAME) !== 0 ? this.#takePayload() : this.#takeHeader();
      if (event !== GO_ON) return event;
    }
  }

  /** Lets go of the caller's buffer: an idle connection must not keep a receive buffer alive. */
  #releaseInput(): void {
    this.#input = EMPTY;
    this.#view = EMPTY_VIEW;
    this.bytes = EMPTY;
    this.#at = 0;
    this.#inputEnd = 0;
  }

  // ── headers ─────────────────────────────────────────────────────────────────────────────

  #takeHeader(): number {
    if (this.#headerBytes !== 0) return this.#carryHeader();
    const available = this.#inputEnd - this.#at;
    const size = this.#readHeader(this.#input, this.#at, available);
    if (size === BROKEN) return DECODE_FAILED;
    if (size === 0) {
      if (this.#header === EMPTY) this.#header = new Uint8Array(MAX_HEADER_BYTES);
      copyBytes(this.#input, this.#at, this.#inputEnd, this.#header, 0);
      this.#headerBytes = available;
      this.#holds |= HOLDS_HEADER;
      this.#at = this.#inputEnd;
      return GO_ON;
    }
    this.#at += size;
    return this.#openFrame();
  }

  /** Completes a header that was cut off, byte by byte: 13 at most. */
  #carryHeader(): number {
    while (this.#at < this.#inputEnd) {
      this.#header[this.#headerBytes++] = this.#input[this.#at++];
      const size = this.#readHeader(this.#header, 0, this.#headerBytes);
      if (size === BROKEN) return DECODE_FAILED;
      if (size !== 0) {
        this.#headerBytes = 0;
        this.#holds &= ~HOLDS_HEADER;
        return this.#openFrame();
      }
    }
    return GO_ON;
  }

  /**
   * Reads a frame header into the fields of the open frame, checking each byte that is there.
   *
   * @returns Its size, 0 when it is cut off, or BROKEN.
   */
  #readHeader(bytes: Uint8Array, at: number, available: number): number {
    const first = bytes[at];
    const rule = this.#brokenFirst(first);
    if (rule !== "") return this.#break(rule);
    if (available < 2) return 0;
    const second = bytes[at + 1];
    if ((second & MASK_BIT) !== this.#maskBit) {
      return this.#break(
        this.#maskBit === 0
          ? "a server must not mask its frames (RFC 6455 §5.1)"
          : "a client must mask its frames (RFC 6455 §5.1)",
      );
    }
    let size = 2;
    let length = second & LENGTH_BITS;
    if (first & 0x08) {
      if (length > MAX_CONTROL_BYTES)
        return this.#break("a control frame has more than 125 bytes (RFC 6455 §5.5)");
    } else if (length === 126) {
      if (available < 4) return 0;
      size = 4;
      length = (bytes[at + 2] << 8) | bytes[at + 3];
      if (length < 126) return this.#break("a length is not in its shortest form (RFC 6455 §5.2)");
    } else if (length === 127) {
      if (available < 10) return 0;
      size = 10;
      const high = readUint32(bytes, at + 2);
      if (high >= 0x8000_0000) return this.#break("the top bit of a 64-bit length is set (RFC 6455 §5.2)");
      // From 2^53 up this is rounded, but then it is over any limit all the same.
      length = high * 0x1_0000_0000 + readUint32(bytes, at + 6);
      if (length < 65_536) return this.#break("a length is not in its shortest form (RFC 6455 §5.2)");
    }
    if (!(first & 0x08) && !this.#admits(length, this.#isCompressed(first))) return BROKEN;
    if (this.#maskBit !== 0) {
      if (available < size + 4) return 0;
      this.#key = readKey(bytes, at + size);
      size += 4;
    }
    this.#first = first;
    this.#frameBytes = length;
    this.#left = length;
    return size;
  }

  /** The rule that a frame's first byte breaks, or "". */
  #brokenFirst(first: number): string {
    const opcode = first & OPCODE_BITS;
    if ((first & RESERVED_BITS) !== 0) {
      if (this.#openInflater === undefined || (first & RESERVED_BITS) !== COMPRESSED_BIT) {
        return "a reserved bit is set and no extension was negotiated (RFC 6455 §5.2)";
      }
      if (opcode === OPCODE_CONTINUATION || opcode >= OPCODE_CLOSE) {
        return "a frame other than the first of a message says that it is compressed (RFC 7692 §6.1)";
      }
    }
    if (opcode >= OPCODE_CLOSE) {
      if (opcode > OPCODE_PONG) return `opcode 0x${opcode.toString(16)} is reserved (RFC 6455 §5.2)`;
      return (first & FIN_BIT) === 0 ? "a control frame is fragmented (RFC 6455 §5.5)" : "";
    }
    if (opcode > OPCODE_BINARY) return `opcode 0x${opcode.toString(16)} is reserved (RFC 6455 §5.2)`;
    const isContinuation = opcode === OPCODE_CONTINUATION;
    if (isContinuation === ((this.#holds & HOLDS_MESSAGE) !== 0)) return "";
    return isContinuation
      ? "a continuation frame has no message to continue (RFC 6455 §5.4)"
      : "a new message begins inside a fragmented one (RFC 6455 §5.4)";
  }

  /** Whether a data frame with this first byte belongs to a compressed message. */
  #isCompressed(first: number): boolean {
    return (first & COMPRESSED_BIT) !== 0 || ((first & OPCODE_BITS) === 0 && this.#compressedOpcode !== 0);
  }

  /** Whether one more data frame of `length` bytes is within the limits; else fails. */
  #admits(length: number, isCompressed: boolean): boolean {
    const total = this.messageBytes + length;
    if (total > (isCompressed ? this.#maxCompressedBytes : this.#maxMessageBytes)) {
      this.#failSize(`${total} announced`);
      return false;
    }
    if ((this.#message?.fragments ?? 0) >= this.#maxFragments) {
      this.#fail(
        "ERR_TOO_MANY_FRAGMENTS",
        CLOSE_TOO_LARGE,
        `Cannot receive a message in more than ${this.#maxFragments} fragments (maxFragments)`,
      );
      return false;
    }
    return true;
  }

  // ── payloads ────────────────────────────────────────────────────────────────────────────

  /** Starts on the payload of the frame whose header has just been read. */
  #openFrame(): number {
    const first = this.#first;
    const isWhole = this.#left <= this.#inputEnd - this.#at;
    if (first & 0x08) {
      if (isWhole) return this.#takeWholeControl();
    } else if (isWhole && (first === FINAL_TEXT || first === FINAL_BINARY)) {
      this.#takeInPlace();
      return first === FINAL_BINARY ? DECODE_BINARY : this.#deliverText(false);
    } else if (isWhole && (first & FIN_BIT) !== 0 && (first & COMPRESSED_BIT) !== 0) {
      this.#takeInPlace();
      return this.#inflate(first & OPCODE_BITS);
    } else {
      this.#openFragment(first);
    }
    this.#holds |= HOLDS_FRAME;
    return this.#takePayload();
  }

  #openFragment(first: number): void {
    if (this.#message === undefined) this.#message = new MessageBuffer(this.#kernels);
    const opcode = first & OPCODE_BITS;
    if (opcode !== OPCODE_CONTINUATION) {
      const isCompressed = (first & COMPRESSED_BIT) !== 0;
      this.#compressedOpcode = isCompressed ? opcode : 0;
      const memory = opcode === OPCODE_TEXT ? this.#textMemory : this.#binaryMemory;
      // A compressed text is collected as the bytes that it is; it is text once it is restored.
      this.#message.open(isCompressed ? OPCODE_BINARY : opcode, memory);
    }
    this.#message.fragments++;
    this.#holds |= HOLDS_MESSAGE;
  }

  /** Makes the whole payload, which lies in the fed range, the event's. */
  #takeInPlace(): void {
    const start = this.#at;
    const end = start + this.#left;
    this.#at = end;
    this.#unmask(start, end);
    this.bytes = this.#input;
    this.start = start;
    this.end = end;
    this.owned = false;
  }

  #takeWholeControl(): number {
    this.#takeInPlace();
    return this.#deliverControl();
  }

  /** Takes what the fed range has of the open frame. */
  #takePayload(): number {
    const start = this.#at;
    const end = Math.min(start + this.#left, this.#inputEnd);
    this.#at = end;
    this.#left -= end - start;
    this.#unmask(start, end);
    const isControl = (this.#first & 0x08) !== 0;
    if (isControl) this.#collectControl(start, end);
    else if (!this.#collect(start, end)) return this.#failText();
    if (this.#left > 0) {
      this.#key = rotateKey(this.#key, end - start);
      return GO_ON;
    }
    this.#holds &= ~HOLDS_FRAME;
    if (!isControl) return this.#first & FIN_BIT ? this.#deliverMessage() : GO_ON;
    this.bytes = this.#control;
    this.start = 0;
    this.end = this.#frameBytes;
    this.owned = false;
    return this.#deliverControl();
  }

  #unmask(start: number, end: number): void {
    if (this.#maskBit !== 0 && start < end) this.#kernels.unmask(this.#input, start, end, this.#key);
  }

  #collectControl(start: number, end: number): void {
    if (this.#control === EMPTY) this.#control = new Uint8Array(MAX_CONTROL_BYTES);
    copyBytes(this.#input, start, end, this.#control, this.#frameBytes - this.#left - (end - start));
  }

  /** Adds to the message. False when it cannot be UTF-8 any more. */
  #collect(start: number, end: number): boolean {
    const message = this.#message!;
    const isFinal = (this.#first & FIN_BIT) !== 0;
    const mostBytes = this.#compressedOpcode === 0 ? this.#maxMessageBytes : this.#maxCompressedBytes;
    const limitBytes = isFinal ? message.sizeBytes + (end - start) + this.#left : mostBytes;
    return message.append(this.#input, start, end, limitBytes);
  }

  #deliverMessage(): number {
    const message = this.#message!;
    if (!message.canEnd) return this.#failText();
    const opcode = message.opcode;
    this.bytes = message.bytes;
    this.start = 0;
    this.end = message.sizeBytes;
    this.owned = !message.isLent;
    this.textChecked = opcode === OPCODE_TEXT;
    this.#holds &= ~HOLDS_MESSAGE;
    if (this.owned) message.release();
    else this.#holds |= HOLDS_LENT;
    if (this.#compressedOpcode === 0) return opcode;
    const compressedOpcode = this.#compressedOpcode;
    this.#compressedOpcode = 0;
    return this.#inflate(compressedOpcode);
  }

  /** Restores the message that the fields stand at. */
  #inflate(opcode: number): number {
    let inflater = this.#inflater;
    if (inflater === undefined) {
      // Where there is none to open, no compressed frame is let in. The read that it begins in the middle of has begun before it.
      inflater = this.#openInflater!();
      inflater.begin();
      this.#inflater = inflater;
    }
    const result = inflater.inflate(this.bytes, this.start, this.end, this.#maxMessageBytes);
    if (result !== INFLATE_DONE) {
      return result === INFLATE_TOO_LARGE
        ? this.#failSize("it is compressed")
        : this.#fail(
            "ERR_INVALID_DEFLATE",
            CLOSE_INVALID_DATA,
            "Cannot decode a compressed message: it is no DEFLATE stream (RFC 7692 §7.2.2)",
          );
    }
    this.bytes = inflater.output;
    this.start = inflater.start;
    this.end = inflater.end;
    this.owned = inflater.owned;
    return opcode === OPCODE_BINARY ? DECODE_BINARY : this.#deliverText(false);
  }

  #deliverControl(): number {
    const opcode = this.#first & OPCODE_BITS;
    return opcode === OPCODE_CLOSE ? this.#deliverClose() : opcode;
  }

  #deliverClose(): number {
    const { bytes, start, end } = this;
    this.closeCode = CLOSE_NO_STATUS;
    this.closeReason = "";
    if (end - start === 1) return this.#fault("a close frame has half a code (RFC 6455 §5.5.1)");
    if (end > start) {
      const code = (bytes[start] << 8) | bytes[start + 1];
      if (!isReceivableCloseCode(code))
        return this.#fault(`close code ${code} must not be sent (RFC 6455 §7.4)`);
      const reason = readUtf8(bytes, start + 2, end);
      if (reason === undefined) return this.#failText();
      this.closeCode = code;
      this.closeReason = reason;
    }
    this.#message?.release();
    this.#holds = HAS_CLOSED;
    return DECODE_CLOSE;
  }

  // ── failures ────────────────────────────────────────────────────────────────────────────

  #break(rule: string): number {
    this.#fault(rule);
    return BROKEN;
  }

  #fault(rule: string): number {
    return this.#fail("ERR_PROTOCOL", CLOSE_PROTOCOL_ERROR, `Cannot decode a frame: ${rule}`);
  }

  #failSize(detail: string): number {
    return this.#fail(
      "ERR_MESSAGE_TOO_LARGE",
      CLOSE_TOO_LARGE,
      `Cannot receive a message of more than ${this.#maxMessageBytes} bytes (maxMessageBytes): ${detail}`,
    );
  }

  #failText(): number {
    return this.#fail(
      "ERR_INVALID_UTF8",
      CLOSE_INVALID_DATA,
      "Cannot decode a text: it is not UTF-8 (RFC 6455 §8.1)",
    );
  }

  #fail(code: ErrorCode, closeCode: number, message: string): number {
    this.failure = new RingwireError(code, message, { closeCode });
    this.#message?.release();
    this.#holds = HAS_FAILED;
    this.#headerBytes = 0;
    this.#releaseInput();
    return DECODE_FAILED;
  }
}

/**
 * Most bytes that a sender needs for a message of so many, with the least memory and the worst of data: a message at the limit
 * must not fail because it could not be made smaller.
 */
function deflateBound(bytes: number): number {
  return bytes + (bytes >>> 3) + (bytes >>> 6) + 64;
}

/** Four bytes as an unsigned big-endian number (network order). */
function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}
