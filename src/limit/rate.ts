/** Limits of sockets as options give them, and what becomes of them for one socket. */

import type { Engine } from "../loop.ts";
import { checkKnown, readChoice } from "../options.ts";
import { PermitQueue, type RateTerms } from "./permit_queue.ts";
import { queueOf, RateLimiter, type RateOptions, readRate } from "./rate_limiter.ts";

/**
 * How fast: so many a second, with a burst of what one second brings; or both numbers; or a {@linkcode RateLimiter}, which limits together all who
 * are given the same object.
 */
export type Rate = number | RateOptions | RateLimiter;

/** What is limited. */
export interface MessageRates {
  /** Messages per second; a ping or pong counts as one. @default no limit */
  readonly messages?: Rate;
  /** Payload bytes of messages per second, after decompression, before compression. @default no limit */
  readonly bytes?: Rate;
}

/** What happens to messages that come too fast: see {@linkcode ReceiveLimit}. */
export type WhenExceeded = "pause" | "drop" | "close";

/** How fast a peer may send. Without a `RateLimiter` each socket has its own count. */
export interface ReceiveLimit extends MessageRates {
  /**
   * `pause`: nothing is lost; what comes too fast waits, and TCP slows the peer down. `drop`: such messages go to nobody, and pings are not
   * answered. `close`: the connection ends with 1008 and `ERR_RATE_LIMITED`.
   * @default "pause"
   */
  readonly whenExceeded?: WhenExceeded;
}

/** A rate after checking. */
export type ReadRate = RateTerms | RateLimiter;

/** Rates after checking. */
export interface ReadRates {
  readonly messages: ReadRate | undefined;
  readonly bytes: ReadRate | undefined;
}

/** A {@linkcode ReceiveLimit} after checking. */
export interface ReadReceiveLimit extends ReadRates {
  readonly whenExceeded: WhenExceeded;
}

/** @throws TypeError, RangeError for what is unknown or out of range. */
export function readReceiveLimit(where: string, given: ReceiveLimit): ReadReceiveLimit {
  checkKnown(where, given, ["messages", "bytes", "whenExceeded"]);
  const choices: readonly WhenExceeded[] = ["pause", "drop", "close"];
  return {
    ...readRates(where, given),
    whenExceeded: readChoice("whenExceeded", given.whenExceeded, choices, "pause"),
  };
}

/** @throws TypeError, RangeError for what is unknown or out of range. */
export function readSendLimit(where: string, given: MessageRates): ReadRates {
  checkKnown(where, given, ["messages", "bytes"]);
  return readRates(where, given);
}

/** The queue that a socket takes its permits from: its own, or the one that a limiter shares. */
export function openQueue(rate: ReadRate | undefined, engine: Engine): PermitQueue | undefined {
  if (rate === undefined) return undefined;
  if (rate instanceof RateLimiter) return queueOf(rate);
  return new PermitQueue(rate, engine.wheel, () => engine.runtime.nowMs());
}

function readRates(where: string, { messages, bytes }: MessageRates): ReadRates {
  if (messages === undefined && bytes === undefined) {
    throw new TypeError(`Give ${where} "messages", "bytes" or both`);
  }
  return {
    messages: readOneRate(`messages of ${where}`, messages),
    bytes: readOneRate(`bytes of ${where}`, bytes),
  };
}

/** @throws TypeError, RangeError for what is unknown or out of range. */
export function readOneRate(where: string, rate: Rate | undefined): ReadRate | undefined {
  return rate === undefined || rate instanceof RateLimiter ? rate : readRate(where, rate);
}
