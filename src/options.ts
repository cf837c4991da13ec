/**
 * Every option in one place: its unit (in the name), default and range, and how a wrong one is refused.
 */

import { kindOf } from "./errors.ts";
import type { MessageRates, ReceiveLimit } from "./limit/rate.ts";
import type { Loop } from "./loop.ts";
import type { Replay } from "./record/replay.ts";

/** A numeric option: its default and the range it must lie in, both ends included. */
export interface NumberOption {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  /** Whether it need not be whole, as shares (0 to 1) need not anyway. */
  readonly isFraction?: boolean;
}

type NumberTable = Readonly<Record<string, NumberOption>>;
/** The numbers of a table after defaults were filled in. */
export type Numbers<Table extends NumberTable> = { readonly [Name in keyof Table]: number };

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const HOUR_MS = 3_600_000;
/** setTimeout's own limit on every runtime. */
const LONGEST_MS = 2_147_483_647;

function number(value: number, min: number, max: number): NumberOption {
  return { default: value, min, max };
}

/** Numbers of {@linkcode LoopOptions}. */
export const LOOP_NUMBERS: {
  readonly [Name in
    | "spinUs"
    | "waitUs"
    | "maxConnections"
    | "receiveArenaBytes"
    | "sendArenaBytes"
    | "maxQueuedBytes"
    | "maxQueuedTotalBytes"
    | "submissionEntries"]: NumberOption;
} = {
  spinUs: number(50, 0, 1_000_000),
  waitUs: number(0, 0, 1_000),
  maxConnections: number(65_536, 1, 1_048_575),
  receiveArenaBytes: number(2 * MIB, 256 * KIB, GIB),
  sendArenaBytes: number(MIB, 128 * KIB, GIB),
  maxQueuedBytes: number(64 * MIB, 64 * KIB, 2 * GIB - 1),
  maxQueuedTotalBytes: number(GIB, 64 * KIB, 1024 * GIB),
  submissionEntries: number(4_096, 8, 32_768),
};

/** How a loop moves bytes and what drives it. */
export interface LoopOptions {
  /**
   * What drives the loop. `auto`: the runtime's event loop, asleep while nothing happens. `spin`: as auto, but busy for `spinUs`
   * after the last event (lowest latency). `manual`: only `loop.poll()`. `run`: only `loop.run()`, which blocks the thread.
   * @default "auto"
   */
  readonly drive?: "auto" | "spin" | "manual" | "run";
  /**
   * `auto`: io_uring where it works, else the runtime's sockets. A `Replay` (`ringwire/record`) plays a recording instead.
   * Environment: `RINGWIRE_TRANSPORT`. @default "auto"
   */
  readonly transport?: "auto" | "uring" | "native" | Replay;
  /** Path of the shim. Environment: `RINGWIRE_LIBRARY`. @default the one that came with the package */
  readonly library?: string;
  /** Busy time after the last event, microseconds, for `spin`. 0 to 1,000,000. @default 50 */
  readonly spinUs?: number;
  /**
   * How long the thread may wait in the kernel for the sockets of this loop alone before it sleeps in the runtime's event loop,
   * microseconds, for `auto` and `spin` over io_uring. Woken there it answers 1 to 4 µs sooner, and waiting costs no processor time; but
   * timers and other I/O of the program may come that much later. It is done only where messages have come within this time lately: set
   * it above the usual gap between them. 0 to 1,000; 0: never. @default 0
   */
  readonly waitUs?: number;
  /**
   * Where `receivedNs` of batches and messages comes from. `handled`: when the read was handled. `kernel`: when the kernel received the
   * last packet of the read (SO_TIMESTAMPNS), on the same clock; over io_uring and TCP. Costs a little for each receive, and excludes
   * kernel TLS.
   * @default "handled"
   */
  readonly receiveTimestamps?: "handled" | "kernel";
  /** Sockets at once on this loop. 1 to 1,048,575. @default 65,536 */
  readonly maxConnections?: number;
  /** Memory shared by all receives, bytes. 256 KiB to 1 GiB. @default 2 MiB */
  readonly receiveArenaBytes?: number;
  /** Memory shared by all sends of a turn, bytes. 128 KiB to 1 GiB. @default 1 MiB */
  readonly sendArenaBytes?: number;
  /** Unsent bytes of one connection beyond which it is aborted, a backstop above `maxBufferedBytes`. 64 KiB to 2 GiB. @default 64 MiB */
  readonly maxQueuedBytes?: number;
  /** Unsent bytes of all connections together. 64 KiB to 1 TiB. @default 1 GiB */
  readonly maxQueuedTotalBytes?: number;
  /** io_uring submission queue entries, a power of two. 8 to 32,768. @default 4,096 */
  readonly submissionEntries?: number;
}

/** Numbers of {@linkcode WebSocketOptions}. */
export const WEBSOCKET_NUMBERS: {
  readonly [Name in
    | "maxMessageBytes"
    | "maxFragments"
    | "fragmentBytes"
    | "maxBufferedBytes"
    | "highWaterRatio"
    | "lowWaterRatio"
    | "maxUnreadBytes"
    | "idleTimeoutMs"
    | "pingIntervalMs"
    | "pongTimeoutMs"
    | "messageTimeoutMs"
    | "closeTimeoutMs"]: NumberOption;
} = {
  maxMessageBytes: number(MIB, 1, 2 * GIB - 1),
  maxFragments: number(1_024, 1, 1_048_576),
  fragmentBytes: number(0, 0, 2 * GIB - 1),
  maxBufferedBytes: number(16 * MIB, 1, 2 * GIB - 1),
  highWaterRatio: number(0.8, 0, 1),
  lowWaterRatio: number(0.6, 0, 1),
  maxUnreadBytes: number(MIB, 1, 2 * GIB - 1),
  idleTimeoutMs: number(120_000, 0, LONGEST_MS),
  pingIntervalMs: number(30_000, 0, LONGEST_MS),
  pongTimeoutMs: number(10_000, 1, LONGEST_MS),
  messageTimeoutMs: number(60_000, 0, LONGEST_MS),
  closeTimeoutMs: number(5_000, 1, HOUR_MS),
};

/** The client's default for `maxMessageBytes`; a server's is 1 MiB. */
export const CLIENT_MAX_MESSAGE_BYTES: number = 16 * MIB;

/** How messages are compressed; see {@linkcode CompressionOptions}. */
export type CompressionMode = "disabled" | "shared" | "dedicated";

/** The modes, for checking. */
export const COMPRESSION_MODES: readonly CompressionMode[] = ["disabled", "shared", "dedicated"];

/** Numbers of {@linkcode CompressionOptions}. */
export const COMPRESSION_NUMBERS: {
  readonly [Name in
    | "windowBits"
    | "peerWindowBits"
    | "thresholdBytes"
    | "level"
    | "memoryLevel"]: NumberOption;
} = {
  windowBits: number(15, 8, 15),
  peerWindowBits: number(15, 8, 15),
  thresholdBytes: number(KIB, 0, 2 * GIB - 1),
  level: number(6, 1, 9),
  memoryLevel: number(8, 1, 9),
};

/** Names of {@linkcode CompressionOptions}. */
export const COMPRESSION_OPTION_NAMES: readonly string[] = [...Object.keys(COMPRESSION_NUMBERS), "mode"];

/**
 * How permessage-deflate is used (RFC 7692), the same on clients and servers. The other side has its say: what it does not
 * support is left away, in the last resort compression itself; `ws.extensions` shows what came of it.
 */
export interface CompressionOptions {
  /**
   * `disabled`: not offered, not accepted. `shared`: each message is compressed by itself ("no context takeover" both ways), so
   * that one state serves all sockets of a loop. `dedicated`: messages refer to earlier ones, which makes small, alike messages
   * much smaller and costs each socket windows of its own, from its first compressed message on.
   * @default "dedicated"
   */
  readonly mode?: CompressionMode;
  /** Largest window to compress with: 2^windowBits bytes. 8 (256 bytes) to 15 (32 KiB). @default 15 */
  readonly windowBits?: number;
  /**
   * Largest window that the peer may compress with. 8 to 15. A client that cannot be asked for a smaller one is asked to
   * compress each message by itself instead. @default 15
   */
  readonly peerWindowBits?: number;
  /** Messages of fewer bytes are sent as they are; 0 = none. 0 B to 2 GiB. @default 1 KiB */
  readonly thresholdBytes?: number;
  /** Effort: 1 (fast) to 9 (small). @default 6 */
  readonly level?: number;
  /** Memory to compress with: 1 (little) to 9 (fast). @default 8 */
  readonly memoryLevel?: number;
}

/** How one WebSocket behaves, the same on clients and servers. */
export interface WebSocketOptions {
  /**
   * Compression of messages (permessage-deflate, RFC 7692): a mode, or {@linkcode CompressionOptions}. It is off unless asked for,
   * because it costs memory and time, and because who can see the size of compressed messages that mix secrets with an
   * attacker's text can find out the secrets (as CRIME and BREACH did).
   * @default "disabled"
   */
  readonly compression?: CompressionMode | CompressionOptions;
  /** What text messages become: a string, or the bytes as they came (checked to be UTF-8). @default "string" */
  readonly text?: "string" | "bytes";
  /** Give views into receive memory, valid until the handler returns, instead of copies. @default false */
  readonly zeroCopy?: boolean;
  /** Largest message accepted, bytes; beyond it the connection closes with 1009. 1 B to 2 GiB. @default 16 MiB (client), 1 MiB (server) */
  readonly maxMessageBytes?: number;
  /** Most fragments of one message; beyond it 1009. 1 to 1,048,576. @default 1,024 */
  readonly maxFragments?: number;
  /** Messages above this many bytes are sent in fragments of that size; 0 = never. @default 0 */
  readonly fragmentBytes?: number;
  /** Unsent bytes that may wait for a slow peer. 1 B to 2 GiB. @default 16 MiB */
  readonly maxBufferedBytes?: number;
  /** Share of `maxBufferedBytes` above which `send` answers "queued". 0 to 1. @default 0.8 */
  readonly highWaterRatio?: number;
  /** Share of `maxBufferedBytes` at which `drain` comes. 0 to `highWaterRatio`. @default 0.6 */
  readonly lowWaterRatio?: number;
  /**
   * What `send` does with a message that would exceed `maxBufferedBytes`. `drop`: answers "dropped". `wait`: throws
   * `ERR_BACKPRESSURE`, so that nothing is lost unnoticed (await `drained()`, send again). `close`: the connection is aborted.
   * @default "drop"
   */
  readonly whenFull?: "wait" | "drop" | "close";
  /** How fast the peer may send. Handlers get what comes too fast later, or not at all. @default no limit */
  readonly receiveLimit?: ReceiveLimit;
  /**
   * How fast messages leave. What is sent too fast waits in the queue, within `maxBufferedBytes`, and `send` answers "queued"; a Close frame takes
   * with it what still waits. Pings and pongs never wait, but count as messages. @default no limit
   */
  readonly sendLimit?: MessageRates;
  /** Received bytes that wait for `for await` before receiving pauses. 1 B to 2 GiB. @default 1 MiB */
  readonly maxUnreadBytes?: number;
  /** Silence of the peer after which the connection closes with 1001, milliseconds; 0 = never. @default 120,000 */
  readonly idleTimeoutMs?: number;
  /** Silence of the peer after which it is pinged, milliseconds; 0 = never. @default 30,000 */
  readonly pingIntervalMs?: number;
  /** How long an automatic ping may stay without any answer before the connection closes with 1001, milliseconds. @default 10,000 */
  readonly pongTimeoutMs?: number;
  /** How long a message may stay incomplete before the connection closes with 1008, milliseconds; 0 = for ever. @default 60,000 */
  readonly messageTimeoutMs?: number;
  /** How long closing may take before the connection is aborted, milliseconds. @default 5,000 */
  readonly closeTimeoutMs?: number;
  /** Clients only: `zero` sends unmasked-looking frames (key 0), for trusted links only: it gives up RFC 6455 §10.3. @default "random" */
  readonly mask?: "random" | "zero";
}

/** Names of {@linkcode WebSocketOptions}. */
export const WEBSOCKET_OPTION_NAMES: readonly string[] = [
  ...Object.keys(WEBSOCKET_NUMBERS),
  "text",
  "zeroCopy",
  "whenFull",
  "mask",
  "compression",
  "receiveLimit",
  "sendLimit",
];

/** Numbers of the client's own options. */
export const CLIENT_NUMBERS: {
  readonly [Name in
    | "connectTimeoutMs"
    | "handshakeTimeoutMs"
    | "maxHeaderBytes"
    | "maxHeaders"]: NumberOption;
} = {
  connectTimeoutMs: number(5_000, 1, LONGEST_MS),
  handshakeTimeoutMs: number(10_000, 1, LONGEST_MS),
  maxHeaderBytes: number(8 * KIB, 256, MIB),
  maxHeaders: number(64, 1, 10_000),
};

/** Numbers of the server's own options. */
export const SERVER_NUMBERS: {
  readonly [Name in
    | "port"
    | "backlog"
    | "maxConnections"
    | "handshakeTimeoutMs"
    | "maxHeaderBytes"
    | "maxHeaders"
    | "maxRequestBodyBytes"]: NumberOption;
} = {
  port: number(3_000, 0, 65_535),
  backlog: number(1_024, 1, 65_535),
  maxConnections: number(10_000, 1, 1_048_575),
  handshakeTimeoutMs: number(10_000, 1, LONGEST_MS),
  maxHeaderBytes: number(8 * KIB, 256, MIB),
  maxHeaders: number(64, 1, 10_000),
  maxRequestBodyBytes: number(MIB, 0, GIB),
};

/** Numbers of a service's endpoint. */
export const ENDPOINT_NUMBERS: { readonly [Name in "ttlMs" | "staleMs"]: NumberOption } = {
  ttlMs: number(0, 0, LONGEST_MS),
  staleMs: number(0, 0, LONGEST_MS),
};

/** Numbers of an endpoint's `reconnect`. */
export const RECONNECT_NUMBERS: {
  readonly [Name in "initialMs" | "factor" | "maxMs" | "attempts" | "provenMs"]: NumberOption;
} = {
  initialMs: number(100, 1, HOUR_MS),
  factor: { ...number(1.5, 1, 10), isFraction: true },
  maxMs: number(30_000, 1, LONGEST_MS),
  attempts: number(0, 0, LONGEST_MS),
  provenMs: number(5_000, 0, LONGEST_MS),
};

/** Numbers of an endpoint's `heartbeat`. */
export const HEARTBEAT_NUMBERS: { readonly [Name in "intervalMs"]: NumberOption } = {
  intervalMs: number(30_000, 1, LONGEST_MS),
};

/** Options of one socket that `connect` and `serve` hand to the system. */
export interface SystemSocketOptions {
  /** TCP_NODELAY. @default true */
  readonly noDelay?: boolean;
  /** TCP_QUICKACK; io_uring only. @default false */
  readonly quickAck?: boolean;
  /** TCP keepalive after this many milliseconds of silence; 0 = off. @default 0 */
  readonly keepAliveMs?: number;
  /**
   * How long the queues of network cards are polled before the thread sleeps, where it waits in io_uring: with `waitUs`, in `loop.run()` and in
   * `loop.poll()`; not where a loop is parked in the runtime's event loop. Microseconds, 0 to 1,000,000; a loop keeps the longest that any of its
   * sockets has asked for, until it is closed. io_uring only; kernels before Linux 6.9 refuse the socket. @default 0
   */
  readonly busyPollUs?: number;
  /** SO_SNDBUF, bytes; io_uring only. @default the system's */
  readonly sendBufferBytes?: number;
  /** SO_RCVBUF, bytes; io_uring only. @default the system's */
  readonly receiveBufferBytes?: number;
}

const SYSTEM_SOCKET_NUMBERS = {
  keepAliveMs: number(0, 0, LONGEST_MS),
  busyPollUs: number(0, 0, 1_000_000),
  sendBufferBytes: number(0, 0, GIB),
  receiveBufferBytes: number(0, 0, GIB),
} as const;

/** Names of {@linkcode SystemSocketOptions}. */
export const SYSTEM_SOCKET_OPTION_NAMES: readonly string[] = [
  ...Object.keys(SYSTEM_SOCKET_NUMBERS),
  "noDelay",
  "quickAck",
];

/** Picks and checks the {@linkcode SystemSocketOptions} among other options; leaves out what was not given. */
export function readSystemSocketOptions(where: string, given: SystemSocketOptions): SystemSocketOptions {
  const numbers = readNumbers(where, given, SYSTEM_SOCKET_NUMBERS);
  return {
    noDelay: readFlag("noDelay", given.noDelay, true),
    ...(readFlag("quickAck", given.quickAck, false) ? { quickAck: true } : {}),
    ...(numbers.keepAliveMs > 0 ? { keepAliveMs: numbers.keepAliveMs } : {}),
    ...(numbers.busyPollUs > 0 ? { busyPollUs: numbers.busyPollUs } : {}),
    ...(numbers.sendBufferBytes > 0 ? { sendBufferBytes: numbers.sendBufferBytes } : {}),
    ...(numbers.receiveBufferBytes > 0 ? { receiveBufferBytes: numbers.receiveBufferBytes } : {}),
  };
}

/** Where a loop is taken. */
export interface WithLoop {
  /** The loop to live on. @default one shared `auto` loop per thread */
  readonly loop?: Loop;
}

/**
 * Refuses options that do not exist.
 *
 * @throws TypeError naming the option and, where one is close, what may have been meant.
 */
export function checkKnown(where: string, given: object, names: readonly string[]): void {
  if (given === null || typeof given !== "object") {
    throw new TypeError(`${where} takes an object of options, not ${kindOf(given)}`);
  }
  for (const name of Object.keys(given)) {
    if (names.includes(name)) continue;
    const near = nearest(name, names);
    const advice = near === undefined ? `known are ${names.join(", ")}` : `did you mean "${near}"?`;
    throw new TypeError(`Unknown option "${name}" for ${where}; ${advice}`);
  }
}

/** The name that was meant: one with nearly the same letters, or with the same beginning. */
function nearest(name: string, names: readonly string[]): string | undefined {
  // Every name begins with "".
  if (name === "") return undefined;
  const letters = name.toLowerCase();
  const most = Math.min(2, Math.floor(name.length / 2));
  const ranked = names
    .map((known) => ({ known, slips: slipsBetween(letters, known.toLowerCase()) }))
    .sort((one, other) => one.slips - other.slips);
  if (ranked.length > 0 && ranked[0].slips <= most) return ranked[0].known;
  return names.find((known) => known.toLowerCase().startsWith(letters.slice(0, 5)));
}

/** How many letters have to be added, left out or replaced to make one word of another (Levenshtein). */
function slipsBetween(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let line = 1; line <= one.length; line++) {
    const next = [line];
    for (let at = 1; at <= other.length; at++) {
      const replaced = row[at - 1] + (one[line - 1] === other[at - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[at] + 1, next[at - 1] + 1));
    }
    row = next;
  }
  return row[other.length];
}

/**
 * Fills in defaults and checks ranges.
 *
 * @throws TypeError for something that is no number, RangeError for one out of range.
 */
export function readNumbers<Table extends NumberTable>(
  where: string,
  given: object,
  table: Table,
): Numbers<Table> {
  // One shape for all results of a table. What begins empty and is spread later gets a shape each time on V8, and whoever reads
  // the settings of many connections has to look properties up by name.
  const result: Record<string, unknown> = { ...table };
  for (const [name, option] of Object.entries(table)) {
    const value = (given as Readonly<Record<string, unknown>>)[name] ?? option.default;
    if (typeof value !== "number") {
      throw new TypeError(`Option "${name}" of ${where} must be a number, not ${typeof value}`);
    }
    const mayBeFraction = option.isFraction === true || option.max <= 1;
    const isFit = mayBeFraction || Number.isInteger(value);
    if (!isFit || !(value >= option.min && value <= option.max)) {
      const kind = mayBeFraction ? "a number" : "a whole number";
      throw new RangeError(
        `Option "${name}" of ${where} must be ${kind} from ${option.min} to ${option.max}, not ${value}`,
      );
    }
    result[name] = value;
  }
  return result as Numbers<Table>;
}

/** Checks an option that is one of a few words. @throws TypeError listing the words. */
export function readChoice<Choice extends string>(
  name: string,
  value: unknown,
  choices: readonly Choice[],
  fallback: Choice,
): Choice {
  if (value === undefined) return fallback;
  if (!choices.includes(value as Choice)) {
    throw new TypeError(
      `Option "${name}" must be one of ${choices.map((choice) => `"${choice}"`).join(", ")}, not ${JSON.stringify(value)}`,
    );
  }
  return value as Choice;
}

/** Checks an option that is true or false. @throws TypeError for anything else. */
export function readFlag(name: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback;
  if (typeof value !== "boolean")
    throw new TypeError(`Option "${name}" must be true or false, not ${JSON.stringify(value)}`);
  return value;
}

/** Checks an option that is a function. @throws TypeError for anything else. */
export function checkFunction(where: string, name: string, value: unknown): void {
  if (value === undefined || typeof value === "function") return;
  throw new TypeError(`Option "${name}" of ${where} must be a function, not ${kindOf(value)}`);
}

/** Checks a function that is an argument, not an option: it may not be left out. @throws TypeError for anything else. */
export function checkCallback(where: string, value: unknown): void {
  if (typeof value !== "function") throw new TypeError(`${where} takes a function, not ${kindOf(value)}`);
}

/** Checks an option that is text. @throws TypeError for anything else, and for "". */
export function checkText(where: string, name: string, value: unknown): void {
  if (value === undefined || (typeof value === "string" && value !== "")) return;
  const given = value === "" ? `""` : kindOf(value);
  throw new TypeError(`Option "${name}" of ${where} must be a string that says something, not ${given}`);
}

/** Checks an option that is a list of strings. @throws TypeError for anything else: the letters of a string are no list of names. */
export function checkTexts(where: string, name: string, value: unknown): void {
  if (value === undefined) return;
  if (Array.isArray(value) && value.every((each) => typeof each === "string")) return;
  throw new TypeError(`Option "${name}" of ${where} must be an array of strings, not ${kindOf(value)}`);
}

/** Checks an option that is an AbortSignal, of whatever make. @throws TypeError for anything else, an AbortController too. */
export function checkSignal(where: string, value: AbortSignal | null | undefined): void {
  if (value === undefined || value === null || typeof value.addEventListener === "function") return;
  throw new TypeError(`Option "signal" of ${where} must be an AbortSignal, not ${kindOf(value)}`);
}
