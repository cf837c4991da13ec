/** Runs a decoder over portions as a session would, and writes down what it says. */

import { expect } from "vitest";
import { unmask } from "../../src/protocol/mask.ts";
import {
  DECODE_BINARY,
  DECODE_CLOSE,
  DECODE_FAILED,
  DECODE_MORE,
  DECODE_TEXT,
  MessageDecoder,
  type MessageDecoderOptions,
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
import { scalarKernels } from "../../src/protocol/scalar_kernels.ts";

/** One event, comparable. */
export type Seen =
  | { readonly event: number; readonly payload: string }
  | { readonly event: number; readonly closeCode: number; readonly closeReason: string }
  | { readonly event: number; readonly code: string; readonly closeCode: number | undefined };

export function newDecoder(options: Partial<MessageDecoderOptions> = {}): MessageDecoder {
  return new MessageDecoder({
    masked: false,
    maxMessageBytes: 1 << 26,
    maxFragments: 1000,
    kernels: scalarKernels,
    checkText: true,
    ...options,
  });
}

/**
 * Feeds one portion and takes all events of it, up to the first failure.
 *
 * @param gathers - As sessions with a batch handler do: what can be gathered is gathered.
 */
export function pull(decoder: MessageDecoder, portion: Uint8Array, gathers: boolean = false): Seen[] {
  // At an odd place of a larger buffer, as in a receive arena, and spoilt afterwards: nothing may refer to it.
  const arena = new Uint8Array(portion.length + 8).fill(0xee);
  arena.set(portion, 3);
  decoder.feed(arena, 3, 3 + portion.length);
  const seen: Seen[] = gathers ? gather(decoder, arena) : [];
  for (let event = decoder.next(); event !== DECODE_MORE; event = decoder.next()) {
    seen.push(describe(decoder, event));
    if (event === DECODE_FAILED) break;
    if (gathers) seen.push(...gather(decoder, arena));
  }
  arena.fill(0xee);
  return seen;
}

function describe(decoder: MessageDecoder, event: number): Seen {
  if (event === DECODE_FAILED) {
    return { event, code: decoder.failure!.code, closeCode: decoder.failure!.closeCode };
  }
  if (event === DECODE_CLOSE) {
    return { event, closeCode: decoder.closeCode, closeReason: decoder.closeReason };
  }
  return { event, payload: latin1(decoder.bytes, decoder.start, decoder.end) };
}

function gather(decoder: MessageDecoder, arena: Uint8Array): Seen[] {
  const list = new MessageList();
  decoder.gather(list);
  return Array.from({ length: list.count }, (_, index) => {
    const at = index * RECORD_WORDS;
    const start = list.records[at + RECORD_START];
    const end = list.records[at + RECORD_END];
    unmask(arena, start, end, list.records[at + RECORD_KEY] >>> 0);
    const payload = latin1(arena, start, end);
    const kind = list.records[at + RECORD_KIND];
    if (kind === DECODE_BINARY) return { event: kind, payload };
    const isShortAscii = payload.length <= MAX_SHORT_ASCII_BYTES && !/[\u0080-\u00ff]/.test(payload);
    expect(kind).toBe(isShortAscii ? SHORT_ASCII : DECODE_TEXT);
    return { event: DECODE_TEXT, payload };
  });
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at]);
  return text;
}

/** All events of all portions, up to the first failure: the same whether messages are gathered or not. */
export function decode(
  portions: readonly Uint8Array[],
  options: Partial<MessageDecoderOptions> = {},
): Seen[] {
  const seen = decodeOneWay(portions, options, false);
  // Gathering always checks text.
  if (options.checkText !== false) expect(decodeOneWay(portions, options, true)).toEqual(seen);
  return seen;
}

function decodeOneWay(
  portions: readonly Uint8Array[],
  options: Partial<MessageDecoderOptions>,
  gathers: boolean,
): Seen[] {
  const decoder = newDecoder(options);
  const seen: Seen[] = [];
  for (const portion of portions) {
    seen.push(...pull(decoder, portion, gathers));
    if (decoder.failure !== undefined) break;
  }
  return seen;
}
