/**
 * `serve` and its options: a WebSocket server in the shape that Bun users know, on every runtime.
 */

import type { RingwireError } from "../errors.ts";
import type { HttpLimits } from "../http/http_session.ts";
import { engineOf, type Loop, loopOf } from "../loop.ts";
import type { Metrics } from "../metrics/counters.ts";
import {
  checkFunction,
  checkKnown,
  checkText,
  checkTexts,
  readFlag,
  readNumbers,
  readSystemSocketOptions,
  SERVER_NUMBERS,
  SYSTEM_SOCKET_OPTION_NAMES,
  type SystemSocketOptions,
  type WebSocketOptions,
  type WithLoop,
} from "../options.ts";
import { checkHeader } from "../protocol/header_list.ts";
import { checkOrigin } from "../protocol/origin.ts";
import { checkProtocols } from "../protocol/subprotocol.ts";
import { writeUnixPath } from "../protocol/url.ts";
import { recordedEngine } from "../record/recorded_engine.ts";
import type { Recorder } from "../record/recorder.ts";
import { serverAddress } from "../stream/address_of.ts";
import type { TlsInfo } from "../tls.ts";
import { readServerTls, type ServerTlsOptions } from "../tls_options.ts";
import type { Address } from "../transport.ts";
import { type ConnectionLimit, readConnectionLimit } from "./connection_limit.ts";
import type { WebSocketHandlers } from "./handlers.ts";
import { ServerHost } from "./server_host.ts";
import { readSettings } from "./settings.ts";
import type { Socket } from "./socket.ts";

/** What an upgrade adds to the handshake. */
export interface UpgradeOptions<Data> {
  /** Becomes `ws.data`. */
  readonly data?: Data;
  /** Fields for the 101 answer. */
  readonly headers?: Iterable<readonly [string, string]> | Readonly<Record<string, string>>;
  /** The subprotocol: one that the client offers, else it is refused with 400. @default the server's choice among `protocols` */
  readonly protocol?: string;
}

/** Options of {@linkcode serve}. */
export interface ServeOptions<Data> extends WithLoop, SystemSocketOptions {
  /** TCP port; 0 = any free one. 0 to 65,535. @default 3,000 */
  readonly port?: number;
  /** IP address, name or `localhost`. @default "0.0.0.0" */
  readonly hostname?: string;
  /** Path of a Unix socket, instead of `port` and `hostname`. The file that a killed process has left behind is taken over. */
  readonly unix?: string;
  /**
   * Answers HTTP requests. Upgrades with `server.upgrade(request, …)` and returns nothing then. Without it every WebSocket handshake is
   * accepted and everything else gets 426.
   */
  readonly fetch?: (
    request: Request,
    server: Server<Data>,
  ) => Response | undefined | Promise<Response | undefined>;
  /** Makes the answer when `fetch` throws. @default 500 without details, and the error on the console */
  readonly error?: (error: unknown) => Response | Promise<Response>;
  /** Certificate, key and terms of TLS: the server speaks `wss:` and `https:` then. @default no TLS */
  readonly tls?: ServerTlsOptions;
  /**
   * Hears of TLS handshakes that failed: `error.code` says why, such as `ERR_TLS_NO_CERTIFICATE` or `ERR_TLS_ALERT`. That connection is gone, nobody
   * else notices. Any stranger can cause them, so without this function nothing is said.
   */
  readonly tlsError?: (error: RingwireError) => unknown;
  /** Handlers and options of the WebSockets. */
  readonly websocket: WebSocketHandlers<Data> & WebSocketOptions;
  /** Subprotocols in the server's favour; the client's preference decides. `*` takes the client's first. None in common: 400. */
  readonly protocols?: readonly string[];
  /** Fields without which a handshake is refused with 400. */
  readonly requiredHeaders?: readonly string[];
  /** Origins that browsers may connect from, as they write them (`https://app.example`, `https://app.example:8443`); others get 403. Requests without Origin pass. @default any: see RFC 6455 §10.2 before relying on cookies */
  readonly origins?: readonly string[];
  /** Connections at once; beyond it 503. @default 10,000 */
  readonly maxConnections?: number;
  /** How fast connections may come. @default no limit */
  readonly connectionLimit?: ConnectionLimit;
  /** How long a request may take to arrive, milliseconds. @default 10,000 */
  readonly handshakeTimeoutMs?: number;
  /** Bytes of a request head; beyond it 431. @default 8,192 */
  readonly maxHeaderBytes?: number;
  /** Fields of a request head; beyond it 431. @default 64 */
  readonly maxHeaders?: number;
  /** Bytes of a request body; beyond it 413. @default 1 MiB */
  readonly maxRequestBodyBytes?: number;
  /** Connections that the kernel holds before they are accepted. Native sockets of Bun do not take it. @default 1,024 */
  readonly backlog?: number;
  /** SO_REUSEPORT: several threads or processes share the port, each with a loop of its own. Node's own sockets can since 23.1. @default false */
  readonly reusePort?: boolean;
  /** IPV6_V6ONLY. @default false */
  readonly ipv6Only?: boolean;
  /** Records what goes both ways on every connection (`ringwire/record`); a path as for `connect`. @default not recorded */
  readonly record?: Recorder | string;
}

/** How {@linkcode Server.stop} ends. */
export interface StopOptions {
  /** How long sockets may take to close, milliseconds, before they are aborted. @default 5,000 */
  readonly graceMs?: number;
}

const FUNCTION_NAMES = ["fetch", "error", "tlsError"] as const;

const OPTION_NAMES = [
  ...Object.keys(SERVER_NUMBERS),
  ...SYSTEM_SOCKET_OPTION_NAMES,
  "loop",
  "hostname",
  "unix",
  ...FUNCTION_NAMES,
  "tls",
  "websocket",
  "protocols",
  "requiredHeaders",
  "origins",
  "connectionLimit",
  "reusePort",
  "ipv6Only",
  "record",
];

/**
 * Starts a server. Resolves once it listens.
 *
 * @throws TypeError, RangeError at once for unknown options and values out of range.
 * @throws RingwireError `ERR_ADDRESS_IN_USE`, `ERR_PERMISSION_DENIED`, `ERR_ADDRESS_NOT_AVAILABLE`, `ERR_HOST_NOT_FOUND` …
 *
 * @example
 * ```ts
 * import { connect, serve } from "ringwire";
 *
 * const server = await serve<{ user: string }>({
 *   port: 0,
 *   fetch(request, server) {
 *     if (server.upgrade(request, { data: { user: "ada" } })) return;
 *     return new Response("not here", { status: 404 });
 *   },
 *   websocket: { message: (ws, data) => void ws.send(`${ws.data.user}: ${data}`) },
 * });
 * const socket = await connect(server.url);
 * socket.send("hello");
 * await server.stop();
 * ```
 */
export async function serve<Data = undefined>(options: ServeOptions<Data>): Promise<Server<Data>> {
  checkKnown("serve", options, OPTION_NAMES);
  const numbers = readNumbers("serve", options, SERVER_NUMBERS);
  for (const name of FUNCTION_NAMES) checkFunction("serve", name, options[name]);
  checkText("serve", "hostname", options.hostname);
  checkText("serve", "unix", options.unix);
  checkTexts("serve", "requiredHeaders", options.requiredHeaders);
  checkTexts("serve", "origins", options.origins);
  for (const origin of options.origins ?? []) checkOrigin(origin);
  if (options.websocket === undefined)
    throw new TypeError(`serve needs the option "websocket": handlers of its sockets`);
  const settings = readSettings<Data>("server", options.websocket);
  if (options.protocols !== undefined) checkProtocols(options.protocols);
  for (const name of options.requiredHeaders ?? []) checkHeader(name, "");
  const limits: HttpLimits = {
    maxBytes: numbers.maxHeaderBytes,
    maxHeaders: numbers.maxHeaders,
    requestTimeoutMs: numbers.handshakeTimeoutMs,
    maxBodyBytes: numbers.maxRequestBodyBytes,
  };
  const endpointOptions = {
    ...readSystemSocketOptions("serve", options),
    // Only when asked for: Bun's own sockets have no such option, and refuse it.
    ...(options.backlog === undefined ? {} : { backlog: numbers.backlog }),
    reusePort: readFlag("reusePort", options.reusePort, false),
    ipv6Only: readFlag("ipv6Only", options.ipv6Only, false),
  };
  const connectionLimit =
    options.connectionLimit === undefined ? undefined : readConnectionLimit(options.connectionLimit);
  const loop = loopOf(options.loop);
  const engine = recordedEngine(engineOf(loop), options.record);
  const tls = options.tls === undefined ? undefined : readServerTls(options.tls, engine.runtime.environment);
  const hostname = options.hostname ?? "0.0.0.0";
  const address = await serverAddress(engine.runtime, options.unix, hostname, numbers.port);
  const host = new ServerHost<Data>(
    engine,
    options,
    settings,
    limits,
    numbers.maxConnections,
    connectionLimit,
  );
  const server = new Server<Data>(host, loop, options.hostname);
  host.server = server;
  await host.listen({ ...endpointOptions, address, ...(tls === undefined ? {} : { tls }) });
  return server;
}

/** A listening server. Made by {@linkcode serve}. */
export class Server<Data = undefined> implements AsyncDisposable {
  /** The loop it lives on: `server.loop.transport`, `server.loop.reason`. */
  readonly loop: Loop;
  readonly #host: ServerHost<Data>;
  readonly #hostname: string | undefined;

  /** @internal Not for programs: servers come from `serve`. */
  constructor(host: ServerHost<Data>, loop: Loop, hostname: string | undefined) {
    this.#host = host;
    this.loop = loop;
    this.#hostname = hostname;
  }

  /** Where it listens. */
  get address(): Address {
    return this.#host.address;
  }

  /** The TCP port; 0 on a Unix socket. */
  get port(): number {
    return this.#host.address.port;
  }

  /** The host name it was given, or its address. */
  get hostname(): string {
    return this.#hostname ?? this.#host.address.host;
  }

  /**
   * A URL that `connect` takes: `ws://127.0.0.1:8080/`, with TLS `wss:`. A server on all addresses is reached at the loopback one; whether its
   * certificate is for that name is another matter.
   */
  get url(): string {
    const { family, host, port } = this.#host.address;
    const scheme = this.#host.isSecure ? "wss" : "ws";
    if (family === "unix") return `${scheme}+unix:${writeUnixPath(host)}:/`;
    const reachable = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
    return `${scheme}://${family === "ipv6" ? `[${reachable}]` : reachable}:${port}/`;
  }

  /** What this server's WebSockets have done: counters and times. `prometheusText` of `ringwire/metrics` writes them for Prometheus. */
  get metrics(): Metrics {
    return this.#host.metrics;
  }

  /** Open WebSockets. */
  get connections(): number {
    return this.#host.sockets.size;
  }

  /** All open WebSockets, for broadcasting and bookkeeping. */
  *sockets(): IterableIterator<Socket<Data>> {
    for (const { socket } of this.#host.sockets) if (socket.state !== "closed") yield socket;
  }

  /**
   * Turns a request into a WebSocket, from inside `fetch`. The `open` handler runs before this returns.
   *
   * @returns Whether the request was taken care of: then `fetch` returns nothing. False: it asks for no WebSocket, or its peer is gone.
   */
  upgrade(request: Request, options: UpgradeOptions<Data> = {}): boolean {
    checkKnown("upgrade", options, ["data", "headers", "protocol"]);
    return this.#host.upgrade(request, options);
  }

  /** The address that a request came from; undefined when its peer is gone. */
  remoteAddress(request: Request): Address | undefined {
    return this.#host.remoteAddress(request);
  }

  /** What TLS has agreed on with the peer that a request came from; undefined without TLS, and when the peer is gone. */
  tls(request: Request): TlsInfo | undefined {
    return this.#host.tls(request);
  }

  /**
   * Other certificates and terms for TLS handshakes from now on; no connection is dropped. What is left out stays as it was: a renewed
   * certificate needs `cert` and `key` and nothing else.
   *
   * @param options - Anything of {@linkcode ServerTlsOptions} but `handshakeTimeoutMs`, which stays.
   * @throws TypeError for a server without TLS, and for what is wrong; the old ones stay in use then.
   * @throws RingwireError `ERR_UNSUPPORTED` where a runtime's native sockets cannot do it.
   */
  updateTls(options: Partial<ServerTlsOptions>): void {
    this.#host.updateTls(options);
  }

  /**
   * Stops: accepts nothing more, lets answers in progress finish, closes every WebSocket with 1001, and aborts what is left after
   * `graceMs`. Resolves when all is gone. Idempotent.
   */
  stop(options: StopOptions = {}): Promise<void> {
    checkKnown("stop", options, ["graceMs"]);
    const { graceMs } = readNumbers("stop", options, {
      graceMs: { default: 5_000, min: 0, max: 2_147_483_647 },
    });
    return this.#host.stop(graceMs);
  }

  /** Same as {@linkcode Server.stop} with its defaults. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
