/**
 * One opening handshake of a client: has an address dialled, asks for the upgrade, checks the answer (RFC 6455 §4.1), and gives the
 * connection to a session. Speaks in callbacks: the thread of a `run` loop never comes to a promise.
 */

import { RingwireError } from "../errors.ts";
import { writeHead } from "../http/connection_writer.ts";
import type { Engine } from "../loop.ts";
import { HeadParser } from "../protocol/http_head.ts";
import { acceptInput } from "../protocol/upgrade.ts";
import { checkUpgradeResponse } from "../protocol/upgrade_request.ts";
import { withoutUser } from "../protocol/url.ts";
import { type Caller, Dialer, type DialPlan } from "../stream/dialer.ts";
import { CallbackTimer } from "../timer_wheel.ts";
import type { Connection, ConnectionHandler } from "../transport.ts";
import { Session } from "./session.ts";
import { SessionContext } from "./session_context.ts";
import type { HandledSettings } from "./settings.ts";

/** What to ask whom for. */
export interface HandshakePlan<Data> extends DialPlan {
  /** The request, written out. */
  readonly request: string;
  readonly key: string;
  readonly protocols: readonly string[];
  readonly data: Data;
  readonly signal: AbortSignal | undefined;
  readonly handshakeTimeoutMs: number;
  readonly maxHeaderBytes: number;
  readonly maxHeaders: number;
}

/** Who waits for the WebSocket. One of the two comes, exactly once. */
export interface Opener<Data> {
  /** The handshake is done; the `open` handler comes next. */
  opened(session: Session<Data>): void;
  /** What is no RingwireError is a wrong argument. */
  failed(error: unknown): void;
}

/** See the top of this file. */
export class ClientHandshake<Data> implements Caller, ConnectionHandler {
  readonly #engine: Engine;
  readonly #settings: HandledSettings<Data>;
  readonly #plan: HandshakePlan<Data>;
  readonly #opener: Opener<Data>;
  readonly #dialer: Dialer;
  readonly #parser: HeadParser;
  readonly #deadline: CallbackTimer;
  readonly #aborted = (): void =>
    this.#fail(
      new RingwireError("ERR_ABORTED", `Connecting to ${withoutUser(this.#plan.url)} was aborted`, {
        cause: this.#plan.signal?.reason,
      }),
    );
  #connection: Connection | undefined = undefined;
  #isDone = false;
  #beganMs = 0;

  constructor(
    engine: Engine,
    settings: HandledSettings<Data>,
    plan: HandshakePlan<Data>,
    opener: Opener<Data>,
  ) {
    this.#engine = engine;
    this.#settings = settings;
    this.#plan = plan;
    this.#opener = opener;
    this.#dialer = new Dialer(engine, plan, this);
    this.#parser = new HeadParser("response", { maxBytes: plan.maxHeaderBytes, maxHeaders: plan.maxHeaders });
    this.#deadline = new CallbackTimer(() => this.#timedOut());
  }

  /** Begins. */
  start(): void {
    const { signal } = this.#plan;
    this.#beganMs = this.#engine.runtime.nowMs();
    if (signal?.aborted === true) {
      this.#aborted();
      return;
    }
    signal?.addEventListener("abort", this.#aborted);
    this.#dialer.start();
  }

  /** Gives up on everything. The opener hears nothing more. */
  giveUp(): void {
    if (this.#isDone) return;
    this.#finish();
    this.#dialer.giveUp();
    this.#connection?.abort();
  }

  // ── from the dialer ──────────────────────────────────────────────────────────────────────────

  connected(connection: Connection): ConnectionHandler {
    const { request, handshakeTimeoutMs } = this.#plan;
    this.#connection = connection;
    this.#engine.wheel.schedule(this.#deadline, this.#engine.runtime.nowMs(), handshakeTimeoutMs);
    writeHead(connection, request);
    return this;
  }

  failed(error: unknown): void {
    this.#fail(error);
  }

  // ── from the transport ───────────────────────────────────────────────────────────────────────

  opened(): void {}

  received(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isDone) return;
    try {
      const next = this.#parser.feed(bytes, start, end);
      if (next >= 0) this.#answered(this.#connection as Connection, bytes, next, end);
    } catch (error) {
      if (!(error instanceof RingwireError)) throw error;
      this.#fail(error);
    }
  }

  ended(): void {
    this.#connection?.close();
    this.#connection = undefined;
    this.closed(undefined);
  }

  drained(): void {}

  closed(error: RingwireError | undefined): void {
    this.#fail(
      error ??
        new RingwireError(
          "ERR_CONNECTION_CLOSED",
          "Cannot open the WebSocket: the server hung up during the handshake",
        ),
    );
  }

  // ── inside ───────────────────────────────────────────────────────────────────────────────────

  /** The answer's head is complete. */
  #answered(connection: Connection, bytes: Uint8Array, start: number, end: number): void {
    const plan = this.#plan;
    const engine = this.#engine;
    const accept = engine.runtime.sha1Base64(acceptInput(plan.key));
    const expected = { accept, protocols: plan.protocols, deflate: this.#settings.compression };
    const { protocol, deflate } = checkUpgradeResponse(this.#parser, expected, bytes.subarray(start, end));
    this.#finish();
    engine.metrics.took(engine.runtime.nowMs() - this.#beganMs);
    const info = { url: plan.url, protocol, extensions: deflate?.text ?? "" };
    const context = new SessionContext(engine, this.#settings);
    const session = new Session<Data>(context, connection, info, deflate, plan.data);
    connection.handler = session;
    this.#opener.opened(session);
    session.opened();
    if (start < end) session.received(bytes, start, end);
  }

  #fail(error: unknown): void {
    if (this.#isDone) return;
    this.giveUp();
    if (error instanceof RingwireError) this.#tellFailed(error);
    this.#opener.failed(error);
  }

  #tellFailed(error: RingwireError): void {
    const { metrics, diagnostics } = this.#engine;
    metrics.connectionsFailed++;
    metrics.failed(error);
    if (diagnostics.wants("handshake:fail")) {
      diagnostics.publish("handshake:fail", { url: this.#plan.url, error });
    }
  }

  #finish(): void {
    this.#isDone = true;
    this.#engine.wheel.cancel(this.#deadline);
    this.#plan.signal?.removeEventListener("abort", this.#aborted);
  }

  #timedOut(): void {
    const { url, handshakeTimeoutMs } = this.#plan;
    this.#fail(
      new RingwireError(
        "ERR_HANDSHAKE_TIMEOUT",
        `Cannot open ${withoutUser(url)}: the server did not answer the handshake within ${handshakeTimeoutMs} ms`,
      ),
    );
  }
}
