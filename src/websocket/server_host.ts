/**
 * A server from the inside: what it does with connections, requests and upgrades. `Server` is its face.
 */

import type { RingwireError } from "../errors.ts";
import { type HttpHost, type HttpLimits, HttpSession } from "../http/http_session.ts";
import type { Engine } from "../loop.ts";
import type { Metrics } from "../metrics/counters.ts";
import { fieldsOf } from "../protocol/header_list.ts";
import { badRequest, type RequestHead } from "../protocol/http_request.ts";
import type { Refusal } from "../protocol/http_response.ts";
import { answerOffers } from "../protocol/permessage_deflate.ts";
import { chooseProtocol } from "../protocol/subprotocol.ts";
import { acceptInput, readUpgrade, type UpgradeRequest, writeUpgradeResponse } from "../protocol/upgrade.ts";
import { CallbackTimer } from "../timer_wheel.ts";
import type { TlsInfo } from "../tls.ts";
import { readServerTls, type ServerTlsOptions } from "../tls_options.ts";
import type {
  Address,
  Connection,
  ConnectionHandler,
  ListenEndpoint,
  Listener,
  ListenerHandler,
} from "../transport.ts";
import { ConnectionLimiter, type ReadConnectionLimit } from "./connection_limit.ts";
import { Roster } from "./roster.ts";
import type { ServeOptions, Server, UpgradeOptions } from "./server.ts";
import { Session } from "./session.ts";
import { SessionContext } from "./session_context.ts";
import type { HandledSettings } from "./settings.ts";

/** A request in the program's hands. */
interface Pending {
  readonly session: HttpSession;
  readonly head: RequestHead;
  /** Undefined for an ordinary request. */
  readonly upgrade: UpgradeRequest | undefined;
}

const TOO_MANY: Refusal = {
  status: 503,
  reason: "The server has as many connections as it takes",
  headers: [["retry-after", "1"]],
};
const STOPPING: Refusal = { status: 503, reason: "The server is stopping", headers: [] };
const UPGRADE_REQUIRED: Refusal = {
  status: 426,
  reason: "This server speaks WebSocket",
  headers: [
    ["upgrade", "websocket"],
    ["sec-websocket-version", "13"],
  ],
};

/** Any peer can make accepting fail, by connecting: the console gets one line in this time. */
const COMPLAINT_MS = 1_000;

/** What a client can bring about in its TLS handshake; all else is our system's trouble. */
const CLIENTS_FAULTS = /^ERR_(TLS|CONNECTION)_/;

const FORBIDDEN_METHODS: ReadonlySet<string> = new Set(["CONNECT", "TRACE", "TRACK"]);

/** See the top of this file. */
export class ServerHost<Data> implements HttpHost, ListenerHandler {
  readonly limits: HttpLimits;
  readonly sockets: Roster<Session<Data>> = new Roster();
  /** The face that `fetch` gets; set right after both are made. */
  server: Server<Data> | undefined = undefined;
  readonly #engine: Engine;
  readonly #options: ServeOptions<Data>;
  readonly #context: SessionContext<Data>;
  readonly #maxConnections: number;
  readonly #requiredHeaders: readonly string[];
  /** Undefined: connections may come as fast as they like. */
  readonly #limiter: ConnectionLimiter | undefined;
  readonly #origins: ReadonlySet<string> | undefined;
  readonly #https: Roster<HttpSession> = new Roster();
  readonly #pending: WeakMap<Request, Pending> = new WeakMap();
  /** As given at last; undefined: no TLS. */
  #tlsOptions: ServerTlsOptions | undefined;
  /** Of the last socket: most have the same, and share one string. */
  #lastUrl = "";
  #listener: Listener | undefined = undefined;
  #complainedMs = -Infinity;
  /** Failures since the last line on the console. */
  #unreported = 0;
  #stopping: Promise<void> | undefined = undefined;
  #stopped: (() => void) | undefined = undefined;

  constructor(
    engine: Engine,
    options: ServeOptions<Data>,
    settings: HandledSettings<Data>,
    limits: HttpLimits,
    maxConnections: number,
    connectionLimit?: ReadConnectionLimit,
  ) {
    this.#engine = { ...engine, metrics: engine.metrics.part() };
    this.#options = options;
    this.#context = new SessionContext(this.#engine, settings, (session) => {
      this.sockets.delete(session);
      this.#checkStopped();
    });
    this.limits = limits;
    this.#maxConnections = maxConnections;
    this.#requiredHeaders = options.requiredHeaders ?? [];
    this.#limiter = connectionLimit && new ConnectionLimiter(connectionLimit, this.#engine);
    this.#origins = options.origins === undefined ? undefined : new Set(options.origins);
    this.#tlsOptions = options.tls;
  }

  /** What its WebSockets have done. */
  get metrics(): Metrics {
    return this.#engine.metrics;
  }

  /** Whether it speaks TLS. */
  get isSecure(): boolean {
    return this.#tlsOptions !== undefined;
  }

  /** @throws RingwireError when the system refuses. */
  async listen(endpoint: ListenEndpoint): Promise<void> {
    const { transport, metrics, diagnostics } = this.#engine;
    try {
      this.#listener = await transport.listen(endpoint, this);
    } catch (error) {
      metrics.fold();
      throw error;
    }
    if (diagnostics.wants("server:listen")) diagnostics.publish("server:listen", { address: this.address });
  }

  get address(): Address {
    return (this.#listener as Listener).address;
  }

  // ── from the listener ────────────────────────────────────────────────────────────────────────

  accepted(connection: Connection): ConnectionHandler {
    const session = new HttpSession(this.#engine, connection, this);
    const count = this.#https.size + this.sockets.size;
    this.#https.add(session);
    const refusal = this.#limiter?.refusal(() => connection.remoteAddress());
    if (refusal !== undefined && count < this.#maxConnections * 2) session.refuse(refusal);
    else if (count >= this.#maxConnections || this.#stopping !== undefined) {
      // Saying so takes a descriptor for a while: past twice the limit there is no more politeness.
      if (count >= this.#maxConnections * 2) connection.abort();
      else session.refuse(this.#stopping === undefined ? TOO_MANY : STOPPING);
    }
    return session;
  }

  failed(error: RingwireError): void {
    this.#engine.metrics.connectionsFailed++;
    this.#engine.metrics.failed(error);
    // With TLS a client can leave in the middle of its handshake too, or be reset there.
    if (this.isSecure && CLIENTS_FAULTS.test(error.code)) {
      this.#tlsFailed(error);
      return;
    }
    const nowMs = this.#engine.runtime.nowMs();
    if (nowMs - this.#complainedMs < COMPLAINT_MS) {
      this.#unreported++;
      return;
    }
    const more = this.#unreported === 0 ? "" : ` (and ${this.#unreported} more since the last such line)`;
    this.#complainedMs = nowMs;
    this.#unreported = 0;
    console.error(`${error.message}${more}`);
  }

  // ── from the HTTP sessions ───────────────────────────────────────────────────────────────────

  requested(session: HttpSession, head: RequestHead, body: Uint8Array): void {
    const upgrade = readUpgrade(head);
    const refusal = upgrade?.kind === "refusal" ? upgrade : upgrade && this.#refusalOf(head, upgrade);
    if (refusal !== undefined) {
      session.refuse(refusal);
      return;
    }
    const pending: Pending = { session, head, upgrade: upgrade as UpgradeRequest | undefined };
    if (this.#options.fetch !== undefined) this.#fetch(this.#options.fetch, pending, body);
    else if (!this.#accept(pending, {})) session.refuse(UPGRADE_REQUIRED);
  }

  released(session: HttpSession): void {
    this.#https.delete(session);
    this.#checkStopped();
  }

  // ── from the server ──────────────────────────────────────────────────────────────────────────

  upgrade(request: Request, options: UpgradeOptions<Data>): boolean {
    const pending = this.#pending.get(request);
    if (pending === undefined) {
      throw new TypeError("Cannot upgrade: the request is not one that this server's fetch was given");
    }
    return this.#accept(pending, options);
  }

  remoteAddress(request: Request): Address | undefined {
    return this.#pending.get(request)?.session.connection.remoteAddress();
  }

  tls(request: Request): TlsInfo | undefined {
    return this.#pending.get(request)?.session.connection.tls();
  }

  updateTls(given: Partial<ServerTlsOptions>): void {
    const before = this.#tlsOptions;
    if (before === undefined) throw new TypeError("Cannot update TLS: this server has none");
    const options: ServerTlsOptions = { ...before, ...given };
    const { environment } = this.#engine.runtime;
    const settings = readServerTls(options, environment);
    if (settings.handshakeTimeoutMs !== readServerTls(before, environment).handshakeTimeoutMs) {
      throw new TypeError(`Cannot update TLS: "handshakeTimeoutMs" stays as it was when the server began`);
    }
    (this.#listener as Listener).updateTls(settings);
    this.#tlsOptions = options;
  }

  stop(graceMs: number): Promise<void> {
    if (this.#stopping !== undefined) return this.#stopping;
    this.#stopping = new Promise((resolve) => {
      this.#stopped = resolve;
    });
    this.#tellStop();
    this.#listener?.close();
    for (const session of this.#https) session.finish();
    for (const session of this.sockets) session.close(1001, "the server stops");
    const deadline = new CallbackTimer(() => this.#abortAll());
    this.#engine.wheel.schedule(deadline, this.#engine.runtime.nowMs(), graceMs);
    this.#checkStopped();
    return this.#stopping.finally(() => {
      this.#engine.wheel.cancel(deadline);
      this.#engine.metrics.fold();
    });
  }

  // ── inside ───────────────────────────────────────────────────────────────────────────────────

  #refusalOf(head: RequestHead, upgrade: UpgradeRequest): Refusal | undefined {
    const missing = this.#requiredHeaders.find((name) => !head.headers.has(name));
    if (missing !== undefined) return badRequest(`The header ${missing} is missing`);
    const origin = head.headers.get("origin");
    if (origin !== undefined && this.#origins !== undefined && !this.#origins.has(origin)) {
      return { status: 403, reason: "Connections from this origin are not allowed", headers: [] };
    }
    const { protocols } = this.#options;
    const isOffered = upgrade.protocols.length > 0;
    if (isOffered && protocols !== undefined && chooseProtocol(upgrade.protocols, protocols) === undefined) {
      return badRequest(`No subprotocol in common; this server speaks ${protocols.join(", ")}`);
    }
    return undefined;
  }

  /** Switches protocols. Returns false when the request asks for no WebSocket or the peer is gone. */
  #accept(pending: Pending, options: UpgradeOptions<Data>): boolean {
    const { session: http, head, upgrade } = pending;
    if (upgrade === undefined || !http.canSwitch) return false;
    if (this.#stopping !== undefined) {
      http.refuse(STOPPING);
      return true;
    }
    const protocol =
      options.protocol ?? chooseProtocol(upgrade.protocols, this.#options.protocols ?? []) ?? "";
    if (protocol !== "" && !upgrade.protocols.includes(protocol)) {
      http.refuse(badRequest(`This server speaks subprotocol ${protocol}, which the client does not offer`));
      return true;
    }
    const { compression } = this.#context.settings;
    const deflate = compression && answerOffers(upgrade.extensions, compression);
    const extensions = deflate?.text ?? "";
    const answer = writeUpgradeResponse({
      accept: this.#engine.runtime.sha1Base64(acceptInput(upgrade.key)),
      protocol,
      extensions,
      headers: fieldsOf(options.headers),
    });
    // A Host may be empty; a target in absolute form says itself which host is meant (RFC 9112 §3.2.2).
    const { target } = head;
    const parts = target.startsWith("/")
      ? [this.isSecure ? "wss://" : "ws://", head.headers.get("host") || "localhost", target]
      : ["ws", target.slice("http".length)];
    // Joined, not added: sums of slices keep the whole request alive.
    const url = parts.join("");
    if (url !== this.#lastUrl) this.#lastUrl = url;
    const info = { url: this.#lastUrl, protocol, extensions };
    const session = new Session<Data>(this.#context, http.connection, info, deflate, options.data as Data);
    this.sockets.add(session);
    const early = http.takeOver(answer, session) as Uint8Array;
    session.opened();
    if (early.length > 0) session.received(early, 0, early.length);
    return true;
  }

  #fetch(fetch: NonNullable<ServeOptions<Data>["fetch"]>, pending: Pending, body: Uint8Array): void {
    const { session, head } = pending;
    const request = toRequest(head, body, this.isSecure ? "https" : "http");
    if (request === undefined) {
      session.refuse(badRequest("The request's method or target cannot be served"));
      return;
    }
    this.#pending.set(request, pending);
    const isHead = head.method === "HEAD";
    try {
      const result = fetch(request, this.server as Server<Data>);
      if (result instanceof Promise) {
        result.then(
          (response) => this.#respond(session, response, isHead),
          (error: unknown) => this.#respondToError(session, error, isHead),
        );
      } else {
        this.#respond(session, result, isHead);
      }
    } catch (error) {
      this.#respondToError(session, error, isHead);
    }
  }

  #respond(session: HttpSession, response: Response | undefined, isHead: boolean): void {
    if (response instanceof Response) {
      session.respond(response, isHead).catch((error: unknown) => {
        console.error(error);
        session.refuse({ status: 500, reason: "", headers: [] });
      });
    } else if (session.isBusy) {
      this.#respondToError(
        session,
        new TypeError("fetch returned neither a Response nor an upgrade"),
        isHead,
      );
    }
  }

  /** The program's `error` makes the answer; without it the peer learns nothing and the console everything. */
  async #respondToError(session: HttpSession, thrown: unknown, isHead: boolean): Promise<void> {
    const { error } = this.#options;
    try {
      if (error !== undefined) {
        await session.respond(await error(thrown), isHead);
        return;
      }
      console.error(thrown);
    } catch (again) {
      console.error(again);
    }
    session.refuse({ status: 500, reason: "", headers: [] });
  }

  /** Strangers cause these: what the program makes of them must not bring the server down. */
  #tlsFailed(error: RingwireError): void {
    try {
      const result = this.#options.tlsError?.(error);
      if (result instanceof Promise) result.catch((thrown: unknown) => console.error(thrown));
    } catch (thrown) {
      console.error(thrown);
    }
  }

  #tellStop(): void {
    const { diagnostics } = this.#engine;
    if (this.#listener === undefined || !diagnostics.wants("server:stop")) return;
    diagnostics.publish("server:stop", { address: this.address, connections: this.sockets.size });
  }

  #abortAll(): void {
    for (const session of this.#https) session.connection.abort();
    for (const session of this.sockets) session.terminate();
  }

  #checkStopped(): void {
    if (this.#stopped !== undefined && this.#https.size === 0 && this.sockets.size === 0) this.#stopped();
  }
}

/** The request as `fetch` gets it, or undefined where the platform's Request cannot hold it (CONNECT, TRACE, odd targets). */
function toRequest(head: RequestHead, body: Uint8Array, scheme: "http" | "https"): Request | undefined {
  const { target, method } = head;
  // The Fetch standard forbids these; not every runtime does, and a program must not meet them on one only.
  if (FORBIDDEN_METHODS.has(method.toUpperCase())) return undefined;
  // A Host may be empty, and the target's first segment must not become the host then.
  const url = target.startsWith("/")
    ? `${scheme}://${head.headers.get("host") || "localhost"}${target}`
    : target;
  try {
    return new Request(url, {
      method,
      headers: [...head.headers],
      ...(body.length > 0 && method !== "GET" && method !== "HEAD"
        ? { body: body as Uint8Array<ArrayBuffer> }
        : {}),
    });
  } catch {
    return undefined;
  }
}
