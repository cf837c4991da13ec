/** `connectStream` and its options: from a URL to an open stream of bytes. */

import { RingwireError } from "../errors.ts";
import { type Engine, engineOf, loopOf } from "../loop.ts";
import { CLIENT_NUMBERS, checkKnown, checkSignal, readNumbers, type WithLoop } from "../options.ts";
import { urlText, withoutUser } from "../protocol/url.ts";
import { recordedEngine } from "../record/recorded_engine.ts";
import type { ClientTlsOptions } from "../tls_options.ts";
import type { Connection, ConnectionHandler } from "../transport.ts";
import { type Caller, Dialer, type DialPlan } from "./dialer.ts";
import { ROUTE_OPTION_NAMES, type RouteOptions, readRoute, readTls, refuseTls } from "./route.ts";
import type { Stream } from "./stream.ts";
import {
  readStreamSettings,
  type StreamHandlers,
  type StreamOptions,
  type StreamSettings,
} from "./stream_options.ts";
import { StreamSession } from "./stream_session.ts";
import { parseStreamUrl } from "./stream_url.ts";

/** Options of {@linkcode connectStream}. */
export interface ConnectStreamOptions<Data> extends WithLoop, RouteOptions {
  /** Handlers and options of the stream. Without a `data` handler, bytes wait for `for await`. */
  readonly stream?: StreamHandlers<Data> & StreamOptions;
  /** Becomes `stream.data`. */
  readonly data?: Data;
  /** Gives up connecting when it aborts. Does not touch an open stream. */
  readonly signal?: AbortSignal;
  /** Certificates and terms of TLS, for `tls:` and `tls+unix:` URLs. @default the server is verified by the system's authorities */
  readonly tls?: ClientTlsOptions;
  /** How long resolving and connecting may take, milliseconds. TLS comes after it, with `tls.handshakeTimeoutMs`. @default 5,000 */
  readonly connectTimeoutMs?: number;
}

const STREAM_CLIENT_NUMBERS = { connectTimeoutMs: CLIENT_NUMBERS.connectTimeoutMs };

const OPTION_NAMES: readonly string[] = [
  ...Object.keys(STREAM_CLIENT_NUMBERS),
  ...ROUTE_OPTION_NAMES,
  ...["loop", "stream", "data", "signal", "tls"],
];

/**
 * Opens a stream of bytes, for protocols of your own. Resolves once the connection stands, TLS included.
 *
 * @param url - `tcp://host:port`, `tls://host:port`, or `unix:PATH` (with TLS: `tls+unix:PATH`) for a Unix socket.
 * @throws TypeError, RangeError for a bad URL, unknown options and values out of range.
 * @throws RingwireError `ERR_CONNECTION_REFUSED`, `ERR_HOST_NOT_FOUND`, `ERR_CONNECTION_TIMEOUT`, `ERR_TLS_UNKNOWN_ISSUER`,
 *   `ERR_TLS_HOST_MISMATCH`, `ERR_ABORTED` …
 *
 * @example
 * ```ts
 * import { createServer } from "node:net";
 * import { connectStream } from "ringwire";
 *
 * const server = createServer((socket) => socket.end("220 ready\r\n")).listen(0, "127.0.0.1");
 * await new Promise((resolve) => server.once("listening", resolve));
 * const { port } = server.address() as { port: number };
 * const stream = await connectStream(`tcp://127.0.0.1:${port}`, {
 *   stream: { data: (_stream, bytes) => console.log(new TextDecoder().decode(bytes)) },
 * });
 * await stream.closed;
 * server.close();
 * ```
 */
export async function connectStream<Data = undefined>(
  url: string | URL,
  options: ConnectStreamOptions<Data> = {},
): Promise<Stream<Data>> {
  const where = "connectStream";
  checkKnown(where, options, OPTION_NAMES);
  const { connectTimeoutMs } = readNumbers(where, options, STREAM_CLIENT_NUMBERS);
  const settings = readStreamSettings<Data>(options.stream ?? {});
  const { secure, host, port, name } = parseStreamUrl(url);
  const route = readRoute(where, options);
  checkSignal(where, options.signal);
  if (!secure) refuseTls(options.tls);
  const href = urlText(url);
  const engine = recordedEngine(engineOf(loopOf(options.loop)), options.record, href);
  const socketOptions = secure
    ? { ...route, tls: readTls(name, options.tls, engine.runtime.environment) }
    : route;
  const plan = { url: href, host, port, socketOptions, connectTimeoutMs };
  return new Promise((resolve, reject) => {
    const opening = new StreamOpening<Data>(engine, settings, plan, options.data as Data, options.signal);
    opening.start(resolve, reject);
  });
}

/** A stream on its way. */
class StreamOpening<Data> implements Caller {
  readonly #engine: Engine;
  readonly #settings: StreamSettings<Data>;
  readonly #plan: DialPlan;
  readonly #data: Data;
  readonly #signal: AbortSignal | undefined;
  readonly #dialer: Dialer;
  readonly #aborted = (): void => this.#abort();
  #resolve: (stream: Stream<Data>) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor(
    engine: Engine,
    settings: StreamSettings<Data>,
    plan: DialPlan,
    data: Data,
    signal: AbortSignal | undefined,
  ) {
    this.#engine = engine;
    this.#settings = settings;
    this.#plan = plan;
    this.#data = data;
    this.#signal = signal;
    this.#dialer = new Dialer(engine, plan, this);
  }

  start(resolve: (stream: Stream<Data>) => void, reject: (error: unknown) => void): void {
    this.#resolve = resolve;
    this.#reject = reject;
    if (this.#signal?.aborted === true) {
      this.#abort();
      return;
    }
    this.#signal?.addEventListener("abort", this.#aborted);
    this.#dialer.start();
  }

  connected(connection: Connection): ConnectionHandler {
    this.#signal?.removeEventListener("abort", this.#aborted);
    const session = new StreamSession(this.#engine, connection, this.#settings, this.#plan.url, this.#data);
    this.#resolve(session.stream);
    session.opened();
    return session;
  }

  failed(error: unknown): void {
    this.#signal?.removeEventListener("abort", this.#aborted);
    this.#reject(error);
  }

  #abort(): void {
    this.#dialer.giveUp();
    const cause = this.#signal?.reason;
    this.failed(
      new RingwireError("ERR_ABORTED", `Connecting to ${withoutUser(this.#plan.url)} was aborted`, { cause }),
    );
  }
}
