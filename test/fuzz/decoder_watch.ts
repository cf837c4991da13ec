/** Feeds a message decoder portion by portion, as a session does, and checks what it promises on the way. */

import type { Inflater } from "../../src/protocol/codec.ts";
import {
  DECODE_BINARY,
  DECODE_CLOSE,
  DECODE_FAILED,
  DECODE_MORE,
  DECODE_PING,
  DECODE_PONG,
  DECODE_TEXT,
  MessageDecoder,
} from "../../src/protocol/message_decoder.ts";
import {
  MAX_SHORT_ASCII_BYTES,
  MessageList,
  RECORD_END,
  RECORD_KEY,
  RECORD_KIND,
  RECORD_START,
  RECORD_WORDS,
  SHORT_ASCII,
} from "../../src/protocol/message_list.ts";
import { OPCODE_BINARY } from "../../src/protocol/opcode.ts";
import { scalarKernels } from "../../src/protocol/scalar_kernels.ts";
import { bytesKey, fromText } from "./byte_text.ts";
import { type FrameLimits, type Heard, isUtf8 } from "./frame_oracle.ts";
import { holds } from "./target.ts";

/** A decoder's settings that beside the limits: they must make no difference. */
export interface DecoderSetting extends FrameLimits {
  readonly checkText: boolean;
  readonly shortBytes: number;
  /** Restores compressed messages; undefined: there are none. */
  readonly openInflater?: (() => Inflater) | undefined;
}

/** Bytes before and behind a portion in its arena, which nobody may touch. */
const ODD = 3;
const BEHIND = 5;
const UNTOUCHED = 0xee;

const NAMES: Readonly<Record<number, string>> = {
  [DECODE_TEXT]: "text",
  [DECODE_BINARY]: "binary",
  [DECODE_PING]: "ping",
  [DECODE_PONG]: "pong",
};

/** See the top of this file. */
export class DecoderWatch {
  readonly events: Heard[] = [];
  failure: number | undefined = undefined;
  /** What the decoder says about it; "" when it did not fail. */
  get failureMessage(): string {
    return this.#decoder.failure?.message ?? "";
  }

  readonly #decoder: MessageDecoder;
  readonly #setting: DecoderSetting;
  /** Where batches of whole small messages go; undefined: every message is an event. */
  readonly #list: MessageList | undefined;
  /** Payloads that were given away: they must not change any more. */
  readonly #kept: { bytes: Uint8Array; key: string }[] = [];

  /** Payloads of this read: a batch looks at them at its end. */
  readonly #current: { bytes: Uint8Array; key: string }[] = [];

  constructor(setting: DecoderSetting, gathers: boolean) {
    this.#setting = setting;
    this.#list = gathers ? new MessageList() : undefined;
    const { shortBytes, ...options } = setting;
    const kernels = { ...scalarKernels, shortBytes };
    this.#decoder = new MessageDecoder({ ...options, kernels });
  }

  feed(portion: Uint8Array): void {
    const decoder = this.#decoder;
    const arena = new Uint8Array(ODD + portion.length + BEHIND).fill(UNTOUCHED);
    arena.set(portion, ODD);
    const end = ODD + portion.length;
    decoder.feed(arena, ODD, end);
    // The session gives a connection up at a text that it was left to check; what the decoder says then is not looked at.
    let isGivenUp = false;
    for (;;) {
      if (!isGivenUp) this.#gather(arena, end);
      const event = decoder.next();
      if (event === DECODE_MORE) break;
      if (event === DECODE_FAILED) {
        const code = decoder.failure?.closeCode;
        holds(code !== undefined, "a failure names the close code");
        if (!isGivenUp) this.failure = code;
        holds(decoder.next() === DECODE_FAILED, "a failed decoder stays failed");
        break;
      }
      if (isGivenUp) continue;
      isGivenUp = !this.#take(event, arena, end);
    }
    for (let index = 0; index < ODD; index++) {
      holds(arena[index] === UNTOUCHED, "bytes before the fed range stay as they are");
    }
    for (let index = end; index < arena.length; index++) {
      holds(arena[index] === UNTOUCHED, "bytes behind the fed range stay as they are");
    }
    for (const { bytes, key } of this.#current) {
      holds(bytesKey(bytes) === key, "messages of a read stay as they are until its end");
    }
    this.#current.length = 0;
    arena.fill(UNTOUCHED);
    this.#checkMemory();
  }

  /** Takes whole small messages as a batch would, unmasking them where they lie. */
  #gather(arena: Uint8Array, inputEnd: number): void {
    const list = this.#list;
    if (list === undefined) return;
    list.count = 0;
    this.#decoder.gather(list);
    for (let index = 0; index < list.count; index++) {
      const record = list.records.subarray(index * RECORD_WORDS, (index + 1) * RECORD_WORDS);
      const [start, end, key] = [record[RECORD_START], record[RECORD_END], record[RECORD_KEY]];
      holds(start >= ODD && start <= end && end <= inputEnd, "a gathered message lies inside the fed range");
      const isText = record[RECORD_KIND] !== OPCODE_BINARY;
      const payload = arena.slice(start, end).map((byte, at) => byte ^ ((key >>> ((at & 3) * 8)) & 0xff));
      if (isText) holds(key === 0 && isUtf8(payload), "a gathered text is plain and checked");
      if (record[RECORD_KIND] === SHORT_ASCII) {
        holds(
          payload.length <= MAX_SHORT_ASCII_BYTES && payload.every((byte) => byte < 0x80),
          "what is gathered as short ASCII is it",
        );
      }
      this.events.push([isText ? "text" : "binary", bytesKey(payload)]);
    }
  }

  /** Writes an event down. False when the caller would fail the connection now. */
  #take(event: number, arena: Uint8Array, inputEnd: number): boolean {
    const decoder = this.#decoder;
    const { bytes, start, end, owned } = decoder;
    if (event === DECODE_CLOSE) {
      this.events.push(["close", decoder.closeCode, bytesKey(fromText(decoder.closeReason))]);
      return true;
    }
    holds(event in NAMES, `event ${event} is one of the constants`);
    holds(start >= 0 && start <= end && end <= bytes.length, "a payload lies inside its buffer");
    if (bytes === arena) {
      holds(!owned, "a payload in the caller's buffer is not given away");
      holds(start >= ODD && end <= inputEnd, "a payload in place lies inside the fed range");
    }
    const key = bytesKey(bytes, start, end);
    // A control frame is answered at once, and its memory used again.
    const isMessage = event === DECODE_TEXT || event === DECODE_BINARY;
    if (isMessage) this.#current.push({ bytes: bytes.subarray(start, end), key });
    if (owned) {
      holds(start === 0, "an owned payload begins its buffer");
      this.#kept.push({ bytes: bytes.subarray(start, end), key });
    }
    if (event === DECODE_TEXT) {
      if (this.#setting.checkText) holds(decoder.textChecked, "with checkText every text is checked");
      const isText = isUtf8(bytes.subarray(start, end));
      if (decoder.textChecked) holds(isText, "a text that counts as checked is UTF-8");
      if (!isText) {
        this.failure = 1007;
        return false;
      }
    }
    this.events.push([NAMES[event], key]);
    return true;
  }

  #checkMemory(): void {
    const decoder = this.#decoder;
    const { maxMessageBytes, openInflater } = this.#setting;
    // What is compressed may be larger before it is restored than after.
    const most = openInflater === undefined ? maxMessageBytes : maxMessageBytes * 1.2 + 64;
    holds(decoder.messageBytes <= most, "a message never exceeds its limit");
    holds(
      decoder.retainedBytes <= Math.max(512, 2 * decoder.messageBytes),
      "no more than twice of what came is retained",
    );
    if (decoder.failure !== undefined) {
      holds(decoder.retainedBytes === 0, "a failed decoder retains nothing");
    }
  }

  /** Feeds all portions, up to the first failure. */
  feedAll(portions: readonly Uint8Array[]): void {
    for (const portion of portions) {
      this.feed(portion);
      if (this.failure !== undefined) break;
    }
  }

  /** Gives back what the decoder holds. */
  close(): void {
    this.#decoder.close();
  }

  /** Checks what can be asked when all was fed. */
  finish(isOpen: boolean, messageBytes: number): void {
    for (const { bytes, key } of this.#kept) {
      holds(bytesKey(bytes) === key, "an owned payload stays as it was");
    }
    if (this.failure !== undefined) return;
    holds(this.#decoder.inMessage === isOpen, "inMessage says whether something is cut off");
    holds(this.#decoder.messageBytes === messageBytes, "messageBytes is what has come of the message");
  }
}
