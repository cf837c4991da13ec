/**
 * `connect` and its options: from a URL to an open WebSocket.
 */

import { defaultLoop, engineOf } from "../loop.ts";
import {
  CLIENT_NUMBERS,
  checkKnown,
  readNumbers,
  readSystemSocketOptions,
  SYSTEM_SOCKET_OPTION_NAMES,
  type SystemSocketOptions,
  type WebSocketOptions,
  type WithLoop,
} from "../options.ts";
import { checkProtocols, writeUpgradeRequest } from "../protocol/upgrade_request.ts";
import { parseWebSocketUrl, type WebSocketUrl } from "../protocol/url.ts";
import type { ClientTlsSettings } from "../tls.ts";
import { type ClientTlsOptions, type Environment, readClientTls } from "../tls_options.ts";
import { ClientHandshake } from "./client_handshake.ts";
import type { WebSocketHandlers } from "./handlers.ts";
import { readSettings } from "./settings.ts";
import type { Socket } from "./socket.ts";

/** Options of {@linkcode connect}. */
export interface ConnectOptions<Data> extends WithLoop, SystemSocketOptions {
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
  /** Local IP address to connect from. @default the system's choice */
  readonly localAddress?: string;
  /** Network interface to connect through (SO_BINDTODEVICE); io_uring only. @default the system's choice */
  readonly interface?: string;
}

const OPTION_NAMES = [
  ...Object.keys(CLIENT_NUMBERS),
  ...SYSTEM_SOCKET_OPTION_NAMES,
  "loop",
  "websocket",
  "data",
  "protocols",
  "headers",
  "signal",
  "tls",
  "localAddress",
  "interface",
];

/**
 * Opens a WebSocket. Resolves once the handshake is done.
 *
 * @param url - `ws:` or `wss:`, `http:` or `https:`, or `ws+unix:PATH:TARGET` (with TLS: `wss+unix:`) for a Unix socket.
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
  checkKnown("connect", options, OPTION_NAMES);
  const numbers = readNumbers("connect", options, CLIENT_NUMBERS);
  const settings = readSettings<Data>("client", options.websocket ?? {});
  const target = parseWebSocketUrl(url);
  const protocols =
    typeof options.protocols === "string" ? [options.protocols] : [...(options.protocols ?? [])];
  checkProtocols(protocols);
  if (!target.secure) refuseTls(options.tls);
  const engine = engineOf(options.loop ?? defaultLoop());
  const tls = readTls(target, options.tls, engine.runtime.environment);
  const nonce = new Uint8Array(16);
  engine.runtime.randomFill(nonce);
  const key = btoa(String.fromCharCode(...nonce));
  const headers = headerEntries(options.headers);
  if (
    target.authorization !== undefined &&
    !headers.some(([name]) => name.toLowerCase() === "authorization")
  ) {
    headers.push(["Authorization", target.authorization]);
  }
  const handshake = new ClientHandshake<Data>(engine, settings, {
    request: writeUpgradeRequest({
      target: target.target,
      host: target.hostHeader,
      key,
      protocols,
      deflate: settings.compression,
      headers,
    }),
    key,
    protocols,
    url: typeof url === "string" ? url : url.href,
    host: target.host,
    port: target.port,
    data: options.data as Data,
    signal: options.signal,
    socketOptions: {
      ...readSystemSocketOptions("connect", options),
      ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
      ...(options.interface === undefined ? {} : { interface: options.interface }),
      ...(tls === undefined ? {} : { tls }),
    },
    ...numbers,
  });
  return handshake.start();
}

/** For URLs without TLS: options of it would be relied on in vain. @throws TypeError when there are some. */
export function refuseTls(tls: ClientTlsOptions | undefined): void {
  if (tls === undefined) return;
  throw new TypeError(`Option "tls" is for wss: and https: URLs; this one asks for no TLS`);
}

function readTls(
  target: WebSocketUrl,
  given: ClientTlsOptions | undefined,
  environment: Environment,
): ClientTlsSettings | undefined {
  if (!target.secure) return undefined;
  // The path of a Unix socket is no name that a certificate could have.
  const host = target.port === 0 ? target.hostHeader : target.host;
  const settings = readClientTls(given ?? {}, host, environment);
  if (!settings.rejectUnauthorized) warnUnverified(host);
  return settings;
}

let hasWarned = false;

/** Once, however many connections there are: whoever looks at the console must see it, and see the rest too. */
function warnUnverified(host: string): void {
  if (hasWarned) return;
  hasWarned = true;
  console.warn(
    `ringwire: the certificate of ${host} is not verified (tls.rejectUnauthorized is false): anybody on the way can read and change everything. Trust the server's own authority with tls.ca instead.`,
  );
}

function headerEntries(given: ConnectOptions<unknown>["headers"]): (readonly [string, string])[] {
  if (given === undefined) return [];
  if (Symbol.iterator in given) return [...(given as Iterable<readonly [string, string]>)];
  return Object.entries(given as Readonly<Record<string, string>>);
}
