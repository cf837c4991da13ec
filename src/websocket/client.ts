/**
 * `connect` and its options: from a URL to an open WebSocket.
 */

import type { WebSocketOptions, WithLoop } from "../options.ts";
import type { RouteOptions } from "../stream/route.ts";
import type { ClientTlsOptions } from "../tls_options.ts";
import { Connector } from "./connector.ts";
import type { WebSocketHandlers } from "./handlers.ts";
import type { Socket } from "./socket.ts";

/** Options of {@linkcode connect}. */
export interface ConnectOptions<Data> extends WithLoop, RouteOptions {
  /** Handlers and options of the WebSocket. Without `message` and `batch` handlers, messages wait for `for await`. */
  readonly websocket?: WebSocketHandlers<Data> & WebSocketOptions;
  /** Becomes `ws.data`. */
  readonly data?: Data;
  /** Subprotocols to offer, the preferred one first. */
  readonly protocols?: string | readonly string[];
  /** Fields for the request, such as `authorization`, `origin`, `cookie`. */
  readonly headers?: Iterable<readonly [string, string]> | Readonly<Record<string, string>>;
  /** Gives up connecting when it aborts. Does not touch an open socket. */
  readonly signal?: AbortSignal;
  /** Certificates and terms of TLS, for `wss:` and `https:` URLs. @default the server is verified by the system's authorities */
  readonly tls?: ClientTlsOptions;
  /** How long resolving and connecting may take, milliseconds. TLS comes after it, with `tls.handshakeTimeoutMs`. @default 5,000 */
  readonly connectTimeoutMs?: number;
  /** How long the server may take to answer the WebSocket handshake, milliseconds. @default 10,000 */
  readonly handshakeTimeoutMs?: number;
  /** Bytes of the answer's head. @default 8,192 */
  readonly maxHeaderBytes?: number;
  /** Fields of the answer's head. @default 64 */
  readonly maxHeaders?: number;
}

/**
 * Opens a WebSocket. Resolves once the handshake is done.
 *
 * @param url - `ws:` or `wss:`, `http:` or `https:`, or `ws+unix:PATH:TARGET` (with TLS: `wss+unix:`) for a Unix socket,
 *   whose path may have `%3A` for a colon, and `%00` before an abstract name.
 * @throws TypeError, RangeError for a bad URL, unknown options and values out of range.
 * @throws RingwireError `ERR_CONNECTION_REFUSED`, `ERR_HOST_NOT_FOUND`, `ERR_CONNECTION_TIMEOUT`, `ERR_HANDSHAKE_TIMEOUT`,
 *   `ERR_HANDSHAKE_REFUSED` (with `status`), `ERR_HANDSHAKE_FAILED`, `ERR_TLS_UNKNOWN_ISSUER`, `ERR_TLS_HOST_MISMATCH`, `ERR_ABORTED` …
 *
 * @example
 * ```ts
 * import { connect, serve } from "ringwire";
 *
 * const server = await serve({ port: 0, websocket: { message: (ws, data) => void ws.send(data) } });
 * await using socket = await connect(server.url, { signal: AbortSignal.timeout(5_000) });
 * socket.send("hello");
 * for await (const message of socket) {
 *   console.log(message.text());
 *   break;
 * }
 * await server.stop();
 * ```
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-4.1 | RFC 6455 §4.1}
 */
export async function connect<Data = undefined>(
  url: string | URL,
  options: ConnectOptions<Data> = {},
): Promise<Socket<Data>> {
  const connector = new Connector<Data>("connect", options);
  return new Promise((resolve, reject) => {
    connector.open(url, { opened: ({ socket }) => resolve(socket), failed: reject });
  });
}
