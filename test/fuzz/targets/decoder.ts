/**
 * The message decoder against an oracle of its own: whatever the bytes and however they are cut, the events are the same
 * and right, nothing is thrown, and no more is held than has come.
 */

import {
  DECODE_BINARY,
  DECODE_CLOSE,
  DECODE_FAILED,
  DECODE_MORE,
  DECODE_PING,
  DECODE_PONG,
  DECODE_TEXT,
  MessageDecoder,
} from "../../../src/protocol/message_decoder.ts";
import {
  MessageList,
  RECORD_END,
  RECORD_KEY,
  RECORD_OPCODE,
  RECORD_START,
  RECORD_WORDS,
} from "../../../src/protocol/message_list.ts";
import { OPCODE_TEXT } from "../../../src/protocol/opcode.ts";
import { scalarKernels } from "../../../src/protocol/scalar_kernels.ts";
import { byteByByte, concat, frame, KEY, randomSplit } from "../../protocol/frames.ts";
import { bytesKey, fromHex, fromText } from "../byte_text.ts";
import { type FrameLimits, type Heard, hear, isUtf8 } from "../frame_oracle.ts";
import { drawLimits, drawStream } from "../frame_stream.ts";
import { FuzzInput } from "../fuzz_input.ts";
import { agree, type FuzzTarget, holds } from "../target.ts";

/** A decoder's settings that must make no difference. */
interface Setting extends FrameLimits {
  readonly checkText: boolean;
  readonly shortBytes: number;
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

/** Feeds portions as a session does, checking what a decoder promises on the way. */
class Watch {
  readonly events: Heard[] = [];
  failure: number | undefined = undefined;
  readonly #decoder: MessageDecoder;
  readonly #setting: Setting;
  /** Where batches of whole small messages go; undefined: every message is an event. */
  readonly #list: MessageList | undefined;
  /** Payloads that were given away: they must not change any more. */
  readonly #kept: { bytes: Uint8Array; key: string }[] = [];

  constructor(setting: Setting, gathers: boolean) {
    this.#setting = setting;
    this.#list = gathers ? new MessageList() : undefined;
    const { checkText, masked, maxMessageBytes, maxFragments, shortBytes } = setting;
    const kernels = { ...scalarKernels, shortBytes };
    this.#decoder = new MessageDecoder({ checkText, masked, maxMessageBytes, maxFragments, kernels });
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
      const isText = record[RECORD_OPCODE] === OPCODE_TEXT;
      const payload = arena.slice(start, end).map((byte, at) => byte ^ ((key >>> ((at & 3) * 8)) & 0xff));
      if (isText) holds(key === 0 && isUtf8(payload), "a gathered text is plain and checked");
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
    holds(decoder.messageBytes <= this.#setting.maxMessageBytes, "a message never exceeds its limit");
    holds(
      decoder.retainedBytes <= Math.max(512, 2 * decoder.messageBytes),
      "no more than twice of what came is retained",
    );
    if (decoder.failure !== undefined) {
      holds(decoder.retainedBytes === 0, "a failed decoder retains nothing");
    }
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

function run(bytes: Uint8Array): void {
  const input = new FuzzInput(bytes);
  const limits = drawLimits(input);
  const setting: Setting = {
    ...limits,
    checkText: input.byte() % 2 === 0,
    shortBytes: input.pick([256, 0, 16, 125]),
  };
  const random = input.random();
  const wire = drawStream(input, limits.masked);
  const { events, failure, isOpen, messageBytes } = hear(wire, limits);
  const mean = wire.length > 3_000 ? wire.length / 20 : 4;
  const ways = [[wire], randomSplit(wire, random, mean), randomSplit(wire, random, mean * 5)];
  if (wire.length <= 1_500) ways.push(byteByByte(wire));
  for (const portions of ways) {
    const gathers = random() < 0.5;
    const watch = new Watch(setting, gathers);
    for (const portion of portions) {
      watch.feed(portion);
      if (watch.failure !== undefined) break;
    }
    const way = `fed in ${portions.length} portions${gathers ? ", gathering" : ""}`;
    agree(`events and failure, ${way}`, [watch.events, watch.failure ?? 0], [events, failure ?? 0]);
    watch.finish(isOpen, messageBytes);
  }
}

/** Decisions in front of a raw stream: role, limits, no text check skipped, seed. */
function raw(masked: boolean, ...frames: readonly Uint8Array[]): Uint8Array {
  return concat(Uint8Array.of(masked ? 1 : 0, 0, 0, 0, 0, 7, 9, 3), ...frames);
}

/** See the top of this file. */
export const decoderTarget: FuzzTarget = {
  name: "decoder",
  maxBytes: 700,
  covers: ["/src/"],
  seeds: [
    raw(false, frame(0x81, "hello"), frame(0x82, [1, 2, 3]), frame(0x89, "p"), frame(0x88, [3, 232])),
    raw(true, frame(0x81, "hello", { key: KEY }), frame(0x82, "x".repeat(126), { key: KEY })),
    raw(false, frame(0x01, [0xe2]), frame(0x89, ""), frame(0x00, [0x98]), frame(0x80, [0x83])),
    raw(false, frame(0x01, [0xed]), frame(0x80, [0xa0, 0x80])),
    raw(true, frame(0x82, "", { key: KEY, declared: (1n << 64n) - 1n })),
    raw(false, frame(0x82, "x".repeat(125), { lengthBits: 64 })),
    raw(false, frame(0x88, [3]), frame(0x82, "behind a close")),
    raw(true, ...Array.from({ length: 12 }, (_, index) => frame(index === 0 ? 2 : 0, "", { key: KEY }))),
    fromHex("01 00 00 00 00 01 02 00 00 01 ff 05 80 81 9b 20 0e 05 04"),
    fromHex("00 03 04 01 01 00 11 00 03 0d f0 00 01 fa ff 10 02 22 0e"),
  ],
  run,
};
