/**
 * What a stream of frames means, written down a second time: byte after byte as RFC 6455 reads, slow and without a thought
 * for speed or memory. Shares no code with the decoder.
 */

import { bytesKey } from "./byte_text.ts";
import type { Restored } from "./reference_inflate.ts";

/** One event. Payloads and reasons are `bytesKey`s. */
export type Heard =
  | readonly [event: string, payload: string]
  | readonly ["close", code: number, reason: string];

/** What became of a stream. */
export interface Hearing {
  readonly events: readonly Heard[];
  /** The close code that answers a broken rule; undefined: none was broken. */
  readonly failure: number | undefined;
  /** Whether a frame or message was cut off by the end. */
  readonly isOpen: boolean;
  /** Bytes so far of the message that is cut off. */
  readonly messageBytes: number;
  /** Whether a compressed message came at the end of `events` that receivers read differently. */
  readonly isUnsure: boolean;
}

/** As `MessageDecoderOptions` has them. */
export interface FrameLimits {
  readonly masked: boolean;
  readonly maxMessageBytes: number;
  readonly maxFragments: number;
  /** Restores compressed messages; undefined: there must be none. */
  readonly restore?: ((payload: Uint8Array, maxBytes: number) => Restored) | undefined;
}

/** RFC 3629 §4, the table of byte sequences. */
const UTF8_ROWS: readonly (readonly (readonly [number, number])[])[] = [
  [[0x00, 0x7f]],
  [
    [0xc2, 0xdf],
    [0x80, 0xbf],
  ],
  [
    [0xe0, 0xe0],
    [0xa0, 0xbf],
    [0x80, 0xbf],
  ],
  [
    [0xe1, 0xec],
    [0x80, 0xbf],
    [0x80, 0xbf],
  ],
  [
    [0xed, 0xed],
    [0x80, 0x9f],
    [0x80, 0xbf],
  ],
  [
    [0xee, 0xef],
    [0x80, 0xbf],
    [0x80, 0xbf],
  ],
  [
    [0xf0, 0xf0],
    [0x90, 0xbf],
    [0x80, 0xbf],
    [0x80, 0xbf],
  ],
  [
    [0xf1, 0xf3],
    [0x80, 0xbf],
    [0x80, 0xbf],
    [0x80, 0xbf],
  ],
  [
    [0xf4, 0xf4],
    [0x80, 0x8f],
    [0x80, 0xbf],
    [0x80, 0xbf],
  ],
];

/** Walks the rows of the table. */
class Utf8Walk {
  /** What may still follow; empty between characters. */
  #open: readonly (readonly (readonly [number, number])[])[] = [];

  get isBetween(): boolean {
    return this.#open.length === 0;
  }

  /** False when no row goes on with this byte. */
  push(byte: number): boolean {
    const rows = (this.isBetween ? UTF8_ROWS : this.#open)
      .filter(([[low, high]]) => byte >= low && byte <= high)
      .map((row) => row.slice(1));
    this.#open = rows.filter((row) => row.length > 0);
    return rows.length > 0;
  }
}

/** Whether bytes are UTF-8, by RFC 3629's table. */
export function isUtf8(bytes: Uint8Array): boolean {
  const walk = new Utf8Walk();
  return bytes.every((byte) => walk.push(byte)) && walk.isBetween;
}

/** Thrown when the bytes are used up. */
class EndOfStream extends Error {}

/** Thrown when receivers differ. */
class Unsure extends Error {}

/** Thrown when a rule is broken. */
class BrokenRule extends Error {
  readonly closeCode: number;

  constructor(closeCode: number) {
    super(String(closeCode));
    this.closeCode = closeCode;
  }
}

function must(condition: boolean, closeCode: number): void {
  if (!condition) throw new BrokenRule(closeCode);
}

/** Listens to a stream from its first byte to its last. */
export function hear(wire: Uint8Array, limits: FrameLimits): Hearing {
  const events: Heard[] = [];
  let at = 0;
  let frameStart = 0;
  /** The message that is being collected. */
  let message:
    | { isText: boolean; isCompressed: boolean; bytes: number[]; frames: number; walk: Utf8Walk }
    | undefined;
  const next = (): number => {
    if (at === wire.length) throw new EndOfStream();
    return wire[at++];
  };
  const number = (count: number): bigint => {
    let value = 0n;
    for (let index = 0; index < count; index++) value = value * 256n + BigInt(next());
    return value;
  };
  const done = (failure: number | undefined, isOpen: boolean, isUnsure = false): Hearing => ({
    events,
    isUnsure,
    failure,
    isOpen,
    messageBytes: message?.bytes.length ?? 0,
  });

  try {
    for (;;) {
      frameStart = at;
      const first = next();
      const isFinal = first >= 0x80;
      const opcode = first % 16;
      const reserved = (first >> 4) & 7;
      // RSV1 is for the first frame of a data message, once compression was agreed on (RFC 7692 §6.1).
      const isCompressed = reserved === 4 && limits.restore !== undefined && (opcode === 1 || opcode === 2);
      must(reserved === 0 || isCompressed, 1002);
      must([0, 1, 2, 8, 9, 10].includes(opcode), 1002);
      const isControl = opcode >= 8;
      if (isControl) must(isFinal, 1002);
      else must((opcode === 0) === (message !== undefined), 1002);

      const second = next();
      must(second >= 0x80 === limits.masked, 1002);
      let size = BigInt(second % 128);
      if (isControl) {
        must(size <= 125n, 1002);
      } else if (size === 126n) {
        size = number(2);
        must(size >= 126n, 1002);
      } else if (size === 127n) {
        size = number(8);
        must(size < 1n << 63n, 1002);
        must(size >= 65_536n, 1002);
      }
      if (!isControl) {
        const { maxMessageBytes } = limits;
        // What a message within the limit can become when it is compressed badly.
        const bound =
          maxMessageBytes + Math.floor(maxMessageBytes / 8) + Math.floor(maxMessageBytes / 64) + 64;
        const most = (message?.isCompressed ?? isCompressed) ? bound : maxMessageBytes;
        must(BigInt(message?.bytes.length ?? 0) + size <= BigInt(most), 1009);
        must((message?.frames ?? 0) < limits.maxFragments, 1009);
      }
      const mask = limits.masked ? [next(), next(), next(), next()] : [0, 0, 0, 0];

      const control: number[] = [];
      if (!isControl) {
        message ??= { isText: opcode === 1, isCompressed, bytes: [], frames: 0, walk: new Utf8Walk() };
        message.frames++;
      }
      for (let index = 0; index < Number(size); index++) {
        const byte = next() ^ mask[index % 4];
        if (isControl) {
          control.push(byte);
          continue;
        }
        // As soon as it is certain (RFC 6455 §8.1 allows it, hostile.md wants it).
        if (message!.isText && !message!.isCompressed) must(message!.walk.push(byte), 1007);
        message!.bytes.push(byte);
      }

      if (opcode === 8) {
        must(control.length !== 1, 1002);
        const code = control.length === 0 ? 1005 : control[0] * 256 + control[1];
        const reason = Uint8Array.from(control.slice(2));
        const isAllowed =
          [1000, 1001, 1002, 1003, 1005].includes(code) ||
          (code >= 1007 && code <= 1014) ||
          (code >= 3000 && code <= 4999);
        must(isAllowed && (code !== 1005 || control.length === 0), 1002);
        must(isUtf8(reason), 1007);
        events.push(["close", code, bytesKey(reason)]);
        message = undefined;
        return done(undefined, false);
      }
      if (isControl) {
        events.push([opcode === 9 ? "ping" : "pong", bytesKey(Uint8Array.from(control))]);
      } else if (isFinal && message!.isCompressed) {
        const restored = limits.restore!(Uint8Array.from(message!.bytes), limits.maxMessageBytes);
        if (restored.status === "unsure") throw new Unsure();
        must(restored.status !== "large", 1009);
        must(restored.status === "done", 1007);
        const bytes = restored.status === "done" ? restored.bytes : new Uint8Array(0);
        must(!message!.isText || isUtf8(bytes), 1007);
        events.push([message!.isText ? "text" : "binary", bytesKey(bytes)]);
        message = undefined;
      } else if (isFinal) {
        must(!message!.isText || message!.walk.isBetween, 1007);
        events.push([message!.isText ? "text" : "binary", bytesKey(Uint8Array.from(message!.bytes))]);
        message = undefined;
      }
    }
  } catch (reason) {
    if (reason instanceof BrokenRule) {
      message = undefined;
      return done(reason.closeCode, false);
    }
    if (reason instanceof Unsure) return done(undefined, false, true);
    if (!(reason instanceof EndOfStream)) throw reason;
    return done(undefined, message !== undefined || at > frameStart);
  }
}
