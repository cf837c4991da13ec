/**
 * The one handler object: what a program tells a WebSocket to do, the same on clients and servers.
 */

import type { RingwireError } from "../errors.ts";
import type { MessageBatch } from "./message_batch.ts";
import type { Socket } from "./socket.ts";

export type { SendStatus } from "../stream/send_status.ts";

/** How a connection ended. */
export interface CloseInfo {
  /** The peer's close code, or 1006 when the connection broke, or our own code when we failed it (RFC 6455 §7.1.5). */
  readonly code: number;
  /** The reason that came with the code; may be empty. */
  readonly reason: string;
  /** Whether both sides sent a Close frame. */
  readonly wasClean: boolean;
}

/**
 * Callbacks of a WebSocket. All are optional and may be async; a rejection counts like a throw. A handler that throws closes its own
 * connection with 1011 and nothing else.
 *
 * Without `message` and `batch`, messages wait for `for await`.
 */
export interface WebSocketHandlers<Data> {
  /** The handshake is done. */
  readonly open?: (ws: Socket<Data>) => unknown;
  /** One message. `data` is a string for text (unless `text: "bytes"`), else bytes. */
  readonly message?: (ws: Socket<Data>, data: string | Uint8Array, isText: boolean) => unknown;
  /**
   * All messages that one read brought, instead of `message`. The batch is valid until the handler returns, an async one until its
   * first `await`.
   */
  readonly batch?: (ws: Socket<Data>, messages: MessageBatch) => unknown;
  /**
   * The queue of unsent bytes has fallen to the low mark after `send` had answered "queued" or "dropped". On a socket that closes it
   * comes only to a program that has paused: at the latest when the connection is gone.
   */
  readonly drain?: (ws: Socket<Data>) => unknown;
  /** The peer sent a Ping; it has been answered already. `payload` is valid until the handler returns. */
  readonly ping?: (ws: Socket<Data>, payload: Uint8Array) => unknown;
  /** The peer sent a Pong. `payload` is valid until the handler returns. */
  readonly pong?: (ws: Socket<Data>, payload: Uint8Array) => unknown;
  /** Something failed: the peer broke a rule, a deadline passed, the network broke, a handler threw (`ERR_HANDLER`). `close` follows. */
  readonly error?: (ws: Socket<Data>, error: RingwireError) => unknown;
  /** The connection is gone; the last callback, exactly once. */
  readonly close?: (ws: Socket<Data>, code: number, reason: string, wasClean: boolean) => unknown;
}

/** Names of {@linkcode WebSocketHandlers}. */
export const HANDLER_NAMES: readonly string[] = [
  "open",
  "message",
  "batch",
  "drain",
  "ping",
  "pong",
  "error",
  "close",
];
