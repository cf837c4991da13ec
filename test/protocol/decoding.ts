/** Runs a decoder over portions as a session would, and writes down what it says. */

import {
  DECODE_CLOSE,
  DECODE_FAILED,
  DECODE_MORE,
  MessageDecoder,
  type MessageDecoderOptions,
} from "../../src/protocol/message_decoder.ts";
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

/** Feeds one portion and takes all events of it, up to the first failure. */
export function pull(decoder: MessageDecoder, portion: Uint8Array): Seen[] {
  // At an odd place of a larger buffer, as in a receive arena, and spoilt afterwards: nothing may refer to it.
  const arena = new Uint8Array(portion.length + 8).fill(0xee);
  arena.set(portion, 3);
  decoder.feed(arena, 3, 3 + portion.length);
  const seen: Seen[] = [];
  for (let event = decoder.next(); event !== DECODE_MORE; event = decoder.next()) {
    seen.push(describe(decoder, event));
    if (event === DECODE_FAILED) break;
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
  let payload = "";
  for (let at = decoder.start; at < decoder.end; at++) payload += String.fromCharCode(decoder.bytes[at]);
  return { event, payload };
}

/** All events of all portions, up to the first failure. */
export function decode(
  portions: readonly Uint8Array[],
  options: Partial<MessageDecoderOptions> = {},
): Seen[] {
  const decoder = newDecoder(options);
  const seen: Seen[] = [];
  for (const portion of portions) {
    seen.push(...pull(decoder, portion));
    if (decoder.failure !== undefined) break;
  }
  return seen;
}
