/** Handlers and options of a stream, as programs give them and after checking. */

import type { RingwireError } from "../errors.ts";
import {
  checkKnown,
  type NumberOption,
  readChoice,
  readFlag,
  readNumbers,
  WEBSOCKET_NUMBERS,
} from "../options.ts";
import type { Stream } from "./stream.ts";

/**
 * Callbacks of a stream, alike those of a WebSocket. All are optional and may be async; a rejection counts like a throw. A handler that
 * throws ends its own stream and nothing else.
 *
 * Without `data`, bytes wait for `for await`.
 */
export interface StreamHandlers<Data> {
  /** The connection stands, TLS included. */
  readonly open?: (stream: Stream<Data>) => unknown;
  /** Bytes have arrived, in pieces that mean nothing. With `zeroCopy` they are valid until the handler returns, else they are yours. */
  readonly data?: (stream: Stream<Data>, bytes: Uint8Array) => unknown;
  /** The queue of unsent bytes has fallen to the low mark after `write` had answered "queued" or "dropped". */
  readonly drain?: (stream: Stream<Data>) => unknown;
  /** The peer will send nothing more; what is written still reaches it. Without this handler the stream closes then. */
  readonly end?: (stream: Stream<Data>) => unknown;
  /** Something failed: the network broke, a deadline passed, a handler threw (`ERR_HANDLER`). `close` follows. */
  readonly error?: (stream: Stream<Data>, error: RingwireError) => unknown;
  /** The connection is gone; the last callback, exactly once. `error` is what broke it; undefined when it was closed in order. */
  readonly close?: (stream: Stream<Data>, error: RingwireError | undefined) => unknown;
}

const HANDLER_NAMES: readonly string[] = ["open", "data", "drain", "end", "error", "close"];

const { maxBufferedBytes, highWaterRatio, lowWaterRatio, maxUnreadBytes, idleTimeoutMs, closeTimeoutMs } =
  WEBSOCKET_NUMBERS;
const STREAM_NUMBERS: {
  readonly [Name in keyof Pick<
    typeof WEBSOCKET_NUMBERS,
    | ("maxBufferedBytes" | "highWaterRatio" | "lowWaterRatio")
    | ("maxUnreadBytes" | "idleTimeoutMs" | "closeTimeoutMs")
  >]: NumberOption;
} = {
  maxBufferedBytes,
  highWaterRatio,
  lowWaterRatio,
  maxUnreadBytes,
  // Nobody knows how often the peer of a protocol that is not known has something to say.
  idleTimeoutMs: { ...idleTimeoutMs, default: 0 },
  closeTimeoutMs,
};

/** How a stream behaves. The same words as for a WebSocket. */
export interface StreamOptions {
  /** Give views into receive memory, valid until the handler returns, instead of copies. @default false */
  readonly zeroCopy?: boolean;
  /** Unsent bytes that may wait for a slow peer. 1 B to 2 GiB. @default 16 MiB */
  readonly maxBufferedBytes?: number;
  /** Share of `maxBufferedBytes` above which `write` answers "queued". 0 to 1. @default 0.8 */
  readonly highWaterRatio?: number;
  /** Share of `maxBufferedBytes` at which `drain` comes. 0 to `highWaterRatio`. @default 0.6 */
  readonly lowWaterRatio?: number;
  /**
   * What `write` does with bytes that would exceed `maxBufferedBytes`. `drop`: answers "dropped". `wait`: throws `ERR_BACKPRESSURE`
   * (await `drained()`, write again). `close`: the connection is aborted. @default "wait"
   */
  readonly whenFull?: "wait" | "drop" | "close";
  /** Received bytes that wait for `for await` before receiving pauses. 1 B to 2 GiB. @default 1 MiB */
  readonly maxUnreadBytes?: number;
  /** Silence of the peer after which the stream is aborted, milliseconds; 0 = never. @default 0 */
  readonly idleTimeoutMs?: number;
  /** How long closing may take before the connection is aborted, milliseconds. @default 5,000 */
  readonly closeTimeoutMs?: number;
}

/** Handlers and options after checking. */
export interface StreamSettings<Data> {
  readonly handlers: StreamHandlers<Data>;
  readonly zeroCopy: boolean;
  readonly whenFull: "wait" | "drop" | "close";
  readonly maxBufferedBytes: number;
  readonly highWaterBytes: number;
  readonly lowWaterBytes: number;
  readonly maxUnreadBytes: number;
  readonly idleTimeoutMs: number;
  readonly closeTimeoutMs: number;
}

/** @throws TypeError, RangeError for what is unknown or out of range. */
export function readStreamSettings<Data>(given: StreamHandlers<Data> & StreamOptions): StreamSettings<Data> {
  checkKnown("stream", given, [...Object.keys(STREAM_NUMBERS), "zeroCopy", "whenFull", ...HANDLER_NAMES]);
  for (const name of HANDLER_NAMES) {
    const handler = (given as Readonly<Record<string, unknown>>)[name];
    if (handler !== undefined && typeof handler !== "function") {
      throw new TypeError(`Handler "${name}" of stream must be a function, not ${typeof handler}`);
    }
  }
  const numbers = readNumbers("stream", given, STREAM_NUMBERS);
  if (numbers.lowWaterRatio > numbers.highWaterRatio) {
    throw new RangeError(
      `Option "lowWaterRatio" (${numbers.lowWaterRatio}) must not be above "highWaterRatio" (${numbers.highWaterRatio})`,
    );
  }
  return {
    handlers: given,
    zeroCopy: readFlag("zeroCopy", given.zeroCopy, false),
    whenFull: readChoice("whenFull", given.whenFull, ["wait", "drop", "close"], "wait"),
    maxBufferedBytes: numbers.maxBufferedBytes,
    highWaterBytes: numbers.maxBufferedBytes * numbers.highWaterRatio,
    lowWaterBytes: numbers.maxBufferedBytes * numbers.lowWaterRatio,
    maxUnreadBytes: numbers.maxUnreadBytes,
    idleTimeoutMs: numbers.idleTimeoutMs,
    closeTimeoutMs: numbers.closeTimeoutMs,
  };
}
