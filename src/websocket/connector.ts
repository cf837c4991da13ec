/**
 * The options of `connect`, checked once, for as many WebSockets as are opened with them: `connect` opens one, a service's endpoint
 * one after the other.
 */

import { type Engine, engineOf, loopOf } from "../loop.ts";
import { CLIENT_NUMBERS, checkKnown, checkSignal, type Numbers, readNumbers } from "../options.ts";
import { fieldsOf } from "../protocol/header_list.ts";
import { checkProtocols } from "../protocol/subprotocol.ts";
import { checkRequestHeaders, writeUpgradeRequest } from "../protocol/upgrade_request.ts";
import { parseWebSocketUrl, urlText, type WebSocketUrl } from "../protocol/url.ts";
import { recordedEngine } from "../record/recorded_engine.ts";
import { ROUTE_OPTION_NAMES, readRoute, readTls, refuseTls } from "../stream/route.ts";
import type { ConnectEndpoint } from "../transport.ts";
import type { ConnectOptions } from "./client.ts";
import { ClientHandshake, type Opener } from "./client_handshake.ts";
import { type HandledSettings, readSettings } from "./settings.ts";

/** Names of {@linkcode ConnectOptions}. */
export const CONNECT_OPTION_NAMES: readonly string[] = [
  ...Object.keys(CLIENT_NUMBERS),
  ...ROUTE_OPTION_NAMES,
  "loop",
  "websocket",
  "data",
  "protocols",
  "headers",
  "signal",
  "tls",
];

/** See the top of this file. */
export class Connector<Data> {
  readonly engine: Engine;
  readonly #options: ConnectOptions<Data>;
  readonly #settings: HandledSettings<Data>;
  readonly #numbers: Numbers<typeof CLIENT_NUMBERS>;
  readonly #protocols: readonly string[];
  readonly #headers: readonly (readonly [string, string])[];
  readonly #route: Omit<ConnectEndpoint, "address">;

  /**
   * @param where - For messages: `connect`.
   * @param engine - With metrics of its own. @default the loop's
   * @throws TypeError, RangeError for what is unknown or out of range.
   */
  constructor(where: string, options: ConnectOptions<Data>, engine?: Engine) {
    checkKnown(where, options, CONNECT_OPTION_NAMES);
    const { protocols = [] } = options;
    this.#options = options;
    this.#numbers = readNumbers(where, options, CLIENT_NUMBERS);
    this.#settings = readSettings<Data>("client", options.websocket ?? {});
    this.#route = readRoute(where, options);
    const offered = typeof protocols === "string" ? [protocols] : protocols;
    checkProtocols(offered);
    this.#protocols = [...offered];
    checkSignal(where, options.signal);
    this.#headers = fieldsOf(options.headers);
    checkRequestHeaders(this.#headers);
    this.engine = engine ?? engineOf(loopOf(options.loop));
  }

  /** For resolving and TCP. */
  get connectTimeoutMs(): number {
    return this.#numbers.connectTimeoutMs;
  }

  /** Whether a URL can be connected to with these options. @throws TypeError, RangeError otherwise. */
  check(url: string | URL): void {
    this.#read(url);
  }

  /**
   * Begins to open a WebSocket.
   *
   * @throws TypeError, RangeError as {@linkcode Connector.check}.
   */
  open(url: string | URL, opener: Opener<Data>): ClientHandshake<Data> {
    const { target, route } = this.#read(url);
    const href = urlText(url);
    const engine = recordedEngine(this.engine, this.#options.record, href);
    const nonce = new Uint8Array(16);
    this.engine.runtime.randomFill(nonce);
    const key = btoa(String.fromCharCode(...nonce));
    const headers = [...this.#headers];
    const isAuthorized = headers.some(([name]) => name.toLowerCase() === "authorization");
    if (target.authorization !== undefined && !isAuthorized) {
      headers.push(["Authorization", target.authorization]);
    }
    const request = writeUpgradeRequest({
      target: target.target,
      host: target.hostHeader,
      key,
      protocols: this.#protocols,
      deflate: this.#settings.compression,
      headers,
    });
    const plan = {
      request,
      key,
      protocols: this.#protocols,
      url: href,
      host: target.host,
      port: target.port,
      data: this.#options.data as Data,
      signal: this.#options.signal,
      socketOptions: route,
      ...this.#numbers,
    };
    const handshake = new ClientHandshake<Data>(engine, this.#settings, plan, opener);
    handshake.start();
    return handshake;
  }

  #read(url: string | URL): { target: WebSocketUrl; route: Omit<ConnectEndpoint, "address"> } {
    const target = parseWebSocketUrl(url);
    const { tls } = this.#options;
    if (!target.secure) {
      refuseTls(tls);
      return { target, route: this.#route };
    }
    // The path of a Unix socket is no name that a certificate could have.
    const name = target.port === 0 ? target.hostHeader : target.host;
    return { target, route: { ...this.#route, tls: readTls(name, tls, this.engine.runtime.environment) } };
  }
}
