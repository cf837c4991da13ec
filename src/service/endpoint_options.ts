/** What a program says about an endpoint: where it goes, what happens to its messages, and how it is kept connected. */

import {
  checkFunction,
  checkKnown,
  ENDPOINT_NUMBERS,
  HEARTBEAT_NUMBERS,
  type Numbers,
  RECONNECT_NUMBERS,
  readFlag,
  readNumbers,
  type WebSocketOptions,
} from "../options.ts";
import type { ConnectOptions } from "../websocket/client.ts";
import { CONNECT_OPTION_NAMES } from "../websocket/connector.ts";
import type { WebSocketHandlers } from "../websocket/handlers.ts";
import type { Socket } from "../websocket/socket.ts";
import type { DisconnectReason } from "./disconnect_reason.ts";
import type { Endpoint } from "./endpoint.ts";

/** A handler with the context as one more, last argument. */
export type WithContext<Handler, Context> = Handler extends (...args: infer Args) => infer Result
  ? (...args: [...Args, context: Context]) => Result
  : never;

/**
 * The handlers of a WebSocket ({@linkcode WebSocketHandlers}), each with the service's context as one more, last argument:
 * `message(ws, data, isText, context)`. `ws.data` is the {@linkcode Endpoint}. `open` runs after every connect: subscribe there.
 */
export type EndpointHandlers<Context> = {
  readonly [Name in keyof WebSocketHandlers<Endpoint<Context>>]?: WithContext<
    NonNullable<WebSocketHandlers<Endpoint<Context>>[Name]>,
    Context
  >;
};

/** How an endpoint comes back. The delay before an attempt is drawn evenly from 0 to `initialMs` × `factor` ^ failures in a row ("full jitter"). */
export interface ReconnectOptions {
  /** Longest delay after the first failure, milliseconds. 1 ms to 1 h. @default 100 */
  readonly initialMs?: number;
  /** How much longer the delay may be after each failure in a row. 1 to 10. @default 1.5 */
  readonly factor?: number;
  /** Longest delay of all, milliseconds, unless the server asks for a longer one (Retry-After). @default 30,000 */
  readonly maxMs?: number;
  /** Failures in a row after which the endpoint stops; 0 = never. @default 0 */
  readonly attempts?: number;
  /**
   * How long a connection must have been open to have proved itself, milliseconds: only then the failures before it are forgotten. A
   * server that accepts and hangs up at once is not hammered. @default 5,000
   */
  readonly provenMs?: number;
}

/** A heartbeat of the application's own. Pings (`pingIntervalMs`, `pongTimeoutMs`) need no options. */
export interface HeartbeatOptions<Context> {
  /** Time between beats, milliseconds. @default 30,000 */
  readonly intervalMs?: number;
  /** Sends one. */
  readonly send: (ws: Socket<Endpoint<Context>>, context: Context) => unknown;
  /** Asked before every beat but the first of a connection; `false` ends the connection with the reason `heartbeat`. */
  readonly isAlive?: (ws: Socket<Endpoint<Context>>, context: Context) => boolean;
}

/** Continuity broke: messages may be missing between the connection that was lost and the one that is there now. */
export interface GapEvent {
  /** Why the connection was lost. */
  readonly reason: DisconnectReason;
  /** Since when messages may be missing, on the clock of `performance.now()`: the loss; with the reason `stale` the last message. */
  readonly sinceMs: number;
  /** How long that was, milliseconds. */
  readonly durationMs: number;
  /** How many attempts it took to come back. */
  readonly attempts: number;
}

/** What `url` may answer. */
export type EndpointUrl = string | URL;

/**
 * An endpoint of a {@linkcode Service}: the options of `connect`, and how it is kept connected. Any object will do, also an instance of
 * a class of yours whose own fields are private (`#`).
 */
export interface EndpointOptions<Context>
  extends Omit<ConnectOptions<Endpoint<Context>>, "websocket" | "data" | "signal" | "loop"> {
  /** Where to connect to. A function is asked anew for each attempt, and the name in its answer is resolved anew. It has `connectTimeoutMs` to answer. */
  readonly url:
    | EndpointUrl
    | ((context: Context, endpoint: Endpoint<Context>) => EndpointUrl | Promise<EndpointUrl>);
  /** Handlers, with the context as their last argument, and options of the WebSocket. */
  readonly websocket?: EndpointHandlers<Context> & WebSocketOptions;
  /** How it comes back; `false`: not at all. @default comes back for ever */
  readonly reconnect?: boolean | ReconnectOptions;
  /** Whether to come back after this end; asked before `closed`. `false` stops the endpoint. @default always */
  readonly canRecreate?: (reason: DisconnectReason, context: Context, endpoint: Endpoint<Context>) => boolean;
  /** How long a connection may live, milliseconds, for venues that cut it at a time of theirs; 0 = for ever. @default 0 */
  readonly ttlMs?: number;
  /** Whether this is a good moment when `ttlMs` is over. `false` postpones it; asked again every second. @default always */
  readonly canAutoDisconnect?: (context: Context, endpoint: Endpoint<Context>) => boolean;
  /**
   * When `ttlMs` is over, the next connection is opened before the old one is closed. The new one's messages are held back from the first
   * on; that first one (or five seconds without any) closes the old one, and what the peer sent there before its own Close is delivered
   * still. So all messages of the old connection come before all of the new one. They may say the same twice. One that does
   * not close cleanly may have lost its last ones: that is a gap. @default true
   */
  readonly makeBeforeBreak?: boolean;
  /** How long there may be no message before the connection counts as dead, milliseconds; 0 = for ever. Found up to 1/8 late. @default 0 */
  readonly staleMs?: number;
  /** A heartbeat of the application's own. @default none */
  readonly heartbeat?: HeartbeatOptions<Context>;
  /** Continuity broke; called once the connection is back, before its `open`. */
  readonly gap?: (event: GapEvent, context: Context, endpoint: Endpoint<Context>) => unknown;
  /** A connection ended, or an attempt failed. `endpoint.state` tells what comes now: `waiting`, `stopped`, `removed`. */
  readonly closed?: (reason: DisconnectReason, context: Context, endpoint: Endpoint<Context>) => unknown;
}

const FUNCTION_NAMES = ["canRecreate", "canAutoDisconnect", "gap", "closed"] as const;

const OPTION_NAMES: readonly string[] = [
  ...CONNECT_OPTION_NAMES.filter((name) => !["data", "signal", "loop"].includes(name)),
  ...Object.keys(ENDPOINT_NUMBERS),
  ...FUNCTION_NAMES,
  "url",
  "reconnect",
  "makeBeforeBreak",
  "heartbeat",
];

/** The options of an endpoint after checking. */
export interface EndpointPlan {
  readonly comesBack: boolean;
  readonly reconnect: Numbers<typeof RECONNECT_NUMBERS>;
  readonly ttlMs: number;
  readonly staleMs: number;
  /** 0: none. */
  readonly heartbeatMs: number;
  readonly makeBeforeBreak: boolean;
}

/** Checks what `connect` does not know. @throws TypeError, RangeError for what is unknown or out of range. */
export function readEndpointPlan<Context>(given: EndpointOptions<Context>): EndpointPlan {
  checkKnown("endpoint", given, OPTION_NAMES);
  for (const name of FUNCTION_NAMES) checkFunction("endpoint", name, given[name]);
  const { reconnect = true, heartbeat } = given;
  return {
    ...readNumbers("endpoint", given, ENDPOINT_NUMBERS),
    makeBeforeBreak: readFlag("makeBeforeBreak", given.makeBeforeBreak, true),
    heartbeatMs: heartbeat === undefined ? 0 : readHeartbeatMs(heartbeat),
    comesBack: reconnect !== false,
    reconnect: readReconnect(typeof reconnect === "boolean" ? {} : reconnect),
  };
}

/** What of an endpoint's options is `connect`'s. */
export function connectOptionsOf<Context>(
  given: EndpointOptions<Context>,
): Omit<ConnectOptions<Endpoint<Context>>, "websocket"> {
  const names = CONNECT_OPTION_NAMES.filter((name) => name !== "websocket");
  const options = given as unknown as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    names.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]),
  );
}

function readReconnect(options: ReconnectOptions): EndpointPlan["reconnect"] {
  checkKnown("reconnect", options, Object.keys(RECONNECT_NUMBERS));
  const numbers = readNumbers("reconnect", options, RECONNECT_NUMBERS);
  if (numbers.initialMs > numbers.maxMs) {
    throw new RangeError(
      `Option "initialMs" (${numbers.initialMs}) must not be above "maxMs" (${numbers.maxMs})`,
    );
  }
  return numbers;
}

function readHeartbeatMs<Context>(given: HeartbeatOptions<Context>): number {
  checkKnown("heartbeat", given, [...Object.keys(HEARTBEAT_NUMBERS), "send", "isAlive"]);
  if (given.send === undefined) throw new TypeError(`Option "heartbeat" needs a function "send"`);
  checkFunction("heartbeat", "send", given.send);
  checkFunction("heartbeat", "isAlive", given.isAlive);
  return readNumbers("heartbeat", given, HEARTBEAT_NUMBERS).intervalMs;
}
