/**
 * The options of a WebSocket after checking, made once per `connect` or `serve` and shared by its sockets.
 */

import { type ReadRates, type ReadReceiveLimit, readReceiveLimit, readSendLimit } from "../limit/rate.ts";
import {
  CLIENT_MAX_MESSAGE_BYTES,
  COMPRESSION_MODES,
  COMPRESSION_NUMBERS,
  COMPRESSION_OPTION_NAMES,
  type CompressionMode,
  type CompressionOptions,
  checkKnown,
  readChoice,
  readFlag,
  readNumbers,
  WEBSOCKET_NUMBERS,
  WEBSOCKET_OPTION_NAMES,
  type WebSocketOptions,
} from "../options.ts";
import type { DeflateEffort } from "../protocol/codec.ts";
import type { DeflateTerms } from "../protocol/permessage_deflate.ts";
import { HANDLER_NAMES, type WebSocketHandlers } from "./handlers.ts";

/** Where messages go. */
export type Delivery = "message" | "batch" | "queue";

/** How messages are compressed, if the peer takes part. */
export interface Compression extends DeflateTerms, DeflateEffort {
  readonly thresholdBytes: number;
}

/** What a session looks up while it works. */
export interface Settings {
  readonly delivery: Delivery;
  readonly isClient: boolean;
  readonly zeroMask: boolean;
  readonly textAsString: boolean;
  readonly zeroCopy: boolean;
  readonly whenFull: "wait" | "drop" | "close";
  /** Undefined: no limit. */
  readonly receiveLimit: ReadReceiveLimit | undefined;
  /** Undefined: no limit. */
  readonly sendLimit: ReadRates | undefined;
  readonly maxMessageBytes: number;
  readonly maxFragments: number;
  readonly fragmentBytes: number;
  readonly maxBufferedBytes: number;
  readonly highWaterBytes: number;
  readonly lowWaterBytes: number;
  readonly maxUnreadBytes: number;
  readonly idleTimeoutMs: number;
  readonly pingIntervalMs: number;
  readonly pongTimeoutMs: number;
  readonly messageTimeoutMs: number;
  readonly closeTimeoutMs: number;
  /** Undefined: disabled. */
  readonly compression: Compression | undefined;
}

/** Settings with the program's handlers. */
export interface HandledSettings<Data> extends Settings {
  readonly handlers: WebSocketHandlers<Data>;
}

/** A client chose its server, so it takes larger messages than a server takes from anybody. */
const CLIENT_WEBSOCKET_NUMBERS: typeof WEBSOCKET_NUMBERS = {
  ...WEBSOCKET_NUMBERS,
  maxMessageBytes: { ...WEBSOCKET_NUMBERS.maxMessageBytes, default: CLIENT_MAX_MESSAGE_BYTES },
};

/** @throws TypeError, RangeError for what is unknown or out of range. */
export function readSettings<Data>(
  role: "client" | "server",
  given: WebSocketOptions & WebSocketHandlers<Data>,
): HandledSettings<Data> {
  const where = `websocket (${role})`;
  checkKnown(where, given, [...WEBSOCKET_OPTION_NAMES, ...HANDLER_NAMES]);
  for (const name of HANDLER_NAMES) {
    const handler = (given as Readonly<Record<string, unknown>>)[name];
    if (handler !== undefined && typeof handler !== "function") {
      throw new TypeError(`Handler "${name}" of ${where} must be a function, not ${typeof handler}`);
    }
  }
  if (given.message !== undefined && given.batch !== undefined) {
    throw new TypeError(`Give ${where} either "message" or "batch", not both`);
  }
  const isClient = role === "client";
  const table = isClient ? CLIENT_WEBSOCKET_NUMBERS : WEBSOCKET_NUMBERS;
  const numbers = readNumbers(where, given, table);
  const { highWaterRatio, lowWaterRatio } = numbers;
  if (lowWaterRatio > highWaterRatio) {
    throw new RangeError(
      `Option "lowWaterRatio" (${lowWaterRatio}) must not be above "highWaterRatio" (${highWaterRatio})`,
    );
  }
  if (given.mask !== undefined && !isClient)
    throw new TypeError(`Option "mask" is for clients: servers never mask (RFC 6455 §5.1)`);
  // One by one: what is spread gets a shape of its own each time on V8, and code that looks at settings is compiled again.
  return {
    maxMessageBytes: numbers.maxMessageBytes,
    maxFragments: numbers.maxFragments,
    fragmentBytes: numbers.fragmentBytes,
    maxBufferedBytes: numbers.maxBufferedBytes,
    maxUnreadBytes: numbers.maxUnreadBytes,
    idleTimeoutMs: numbers.idleTimeoutMs,
    pingIntervalMs: numbers.pingIntervalMs,
    pongTimeoutMs: numbers.pongTimeoutMs,
    messageTimeoutMs: numbers.messageTimeoutMs,
    closeTimeoutMs: numbers.closeTimeoutMs,
    handlers: given,
    delivery: given.batch !== undefined ? "batch" : given.message !== undefined ? "message" : "queue",
    isClient,
    zeroMask: readChoice("mask", given.mask, ["random", "zero"], "random") === "zero",
    textAsString: readChoice("text", given.text, ["string", "bytes"], "string") === "string",
    zeroCopy: readFlag("zeroCopy", given.zeroCopy, false),
    compression: readCompression(where, given.compression),
    receiveLimit:
      given.receiveLimit === undefined
        ? undefined
        : readReceiveLimit(`receiveLimit of ${where}`, given.receiveLimit),
    sendLimit:
      given.sendLimit === undefined ? undefined : readSendLimit(`sendLimit of ${where}`, given.sendLimit),
    whenFull: readChoice("whenFull", given.whenFull, ["wait", "drop", "close"], "drop"),
    highWaterBytes: numbers.maxBufferedBytes * highWaterRatio,
    lowWaterBytes: numbers.maxBufferedBytes * lowWaterRatio,
  };
}

function readCompression(
  where: string,
  given: CompressionMode | CompressionOptions | undefined,
): Compression | undefined {
  const isMode = typeof given !== "object" || given === null;
  const mode = isMode
    ? readChoice("compression", given, COMPRESSION_MODES, "disabled")
    : readChoice("compression.mode", given.mode, COMPRESSION_MODES, "dedicated");
  const options = isMode ? {} : given;
  const name = `compression of ${where}`;
  checkKnown(name, options, COMPRESSION_OPTION_NAMES);
  const numbers = readNumbers(name, options, COMPRESSION_NUMBERS);
  return mode === "disabled" ? undefined : { takeover: mode === "dedicated", ...numbers };
}
