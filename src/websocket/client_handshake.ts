/**
 * One opening handshake of a client: finds an address that answers (RFC 8305), asks for the upgrade, checks the answer
 * (RFC 6455 §4.1), and gives the connection to a session.
 */

import { RingwireError } from "../errors.ts";
import { writeHead } from "../http/connection_writer.ts";
import type { Engine } from "../loop.ts";
import { HeadParser } from "../protocol/http_head.ts";
import { acceptInput } from "../protocol/upgrade.ts";
import { checkUpgradeResponse } from "../protocol/upgrade_request.ts";
import { withoutUser } from "../protocol/url.ts";
import { CallbackTimer } from "../timer_wheel.ts";
import { tlsError } from "../tls_errors.ts";
import type { Address, ConnectEndpoint, Connection, ConnectionHandler } from "../transport.ts";
import { literalAddresses, resolvedAddresses } from "./address_of.ts";
import { Session } from "./session.ts";
import type { HandledSettings } from "./settings.ts";
import type { Socket } from "./socket.ts";

/** What to ask whom for. */
export interface HandshakePlan<Data> {
  /** The request, written out. */
  readonly request: string;
  readonly key: string;
  readonly protocols: readonly string[];
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly data: Data;
  readonly signal: AbortSignal | undefined;
  readonly socketOptions: Omit<ConnectEndpoint, "address">;
  readonly connectTimeoutMs: number;
  readonly handshakeTimeoutMs: number;
  readonly maxHeaderBytes: number;
  readonly maxHeaders: number;
}

/** Head start of one address over the next (RFC 8305 §5, "Connection Attempt Delay"). */
const ATTEMPT_DELAY_MS = 250;

/** See the top of this file. */
export class ClientHandshake<Data> {
  readonly #engine: Engine;
  readonly #settings: HandledSettings<Data>;
  readonly #plan: HandshakePlan<Data>;
  readonly #deadline: CallbackTimer;
  readonly #nextAttempt: CallbackTimer;
  readonly #attempts: Set<Attempt<Data>> = new Set();
  readonly #aborted = (): void =>
    this.fail(
      new RingwireError("ERR_ABORTED", `Connecting to ${withoutUser(this.#plan.url)} was aborted`, {
        cause: this.#plan.signal?.reason,
      }),
    );
  #addresses: Address[] = [];
  #isDone = false;
  /** `connectTimeoutMs` is over, but an attempt's TCP connection stood by then and TLS has its own deadline. */
  #isTcpOver = false;
  #winner: Attempt<Data> | undefined = undefined;
  #resolve: (socket: Socket<Data>) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor(engine: Engine, settings: HandledSettings<Data>, plan: HandshakePlan<Data>) {
    this.#engine = engine;
    this.#settings = settings;
    this.#plan = plan;
    this.#deadline = new CallbackTimer(() => this.#timedOut());
    this.#nextAttempt = new CallbackTimer(() => {
      if (!this.#isSecuring) this.#attempt();
    });
  }

  /** Begins. An address that needs no resolving is tried before this returns, so that polled loops need no promises. */
  start(): Promise<Socket<Data>> {
    const { host, port, signal, connectTimeoutMs } = this.#plan;
    const promise = new Promise<Socket<Data>>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (signal?.aborted === true) {
      this.#aborted();
      return promise;
    }
    signal?.addEventListener("abort", this.#aborted);
    this.#arm(this.#deadline, connectTimeoutMs);
    const literal = literalAddresses(host, port);
    if (literal !== undefined) {
      this.#addresses = literal;
      this.#attempt();
    } else {
      resolvedAddresses(this.#engine.runtime, host, port).then(
        (addresses) => {
          this.#addresses = addresses;
          this.#attempt();
        },
        (error: unknown) => this.fail(error),
      );
    }
    return promise;
  }

  /** An attempt's connection stands, TLS included: the others are given up. */
  connected(winner: Attempt<Data>): void {
    this.#winner = winner;
    this.#engine.wheel.cancel(this.#nextAttempt);
    for (const attempt of this.#attempts) {
      if (attempt !== winner) attempt.giveUp();
    }
    this.#arm(this.#deadline, this.#plan.handshakeTimeoutMs);
    winner.send(this.#plan.request);
  }

  /** An attempt failed. The next address is tried at once; the last failure is the caller's. */
  attemptFailed(attempt: Attempt<Data>, error: RingwireError): void {
    this.#attempts.delete(attempt);
    if (this.#isDone) return;
    // Who breaks TLS has been reached: to try another address then would only hide why.
    if (attempt === this.#winner || error.code.startsWith("ERR_TLS_")) this.fail(error);
    else if (this.#addresses.length > 0) this.#attempt();
    else if (this.#attempts.size === 0) this.fail(error);
  }

  /** The answer's head is complete. */
  answered(connection: Connection, head: HeadParser, bytes: Uint8Array, start: number, end: number): void {
    const plan = this.#plan;
    const engine = this.#engine;
    const accept = engine.runtime.sha1Base64(acceptInput(plan.key));
    const { protocol, deflate } = checkUpgradeResponse(head, {
      accept,
      protocols: plan.protocols,
      deflate: this.#settings.compression,
    });
    this.#finish();
    const session = new Session<Data>(
      engine,
      connection,
      this.#settings,
      { url: plan.url, protocol, extensions: deflate?.text ?? "" },
      deflate,
      plan.data,
      () => undefined,
    );
    connection.handler = session;
    this.#resolve(session.socket);
    session.opened();
    if (start < end) session.received(bytes, start, end);
  }

  /** Gives up on everything. */
  fail(error: unknown): void {
    if (this.#isDone) return;
    this.#finish();
    for (const attempt of this.#attempts) attempt.giveUp();
    this.#reject(error);
  }

  #finish(): void {
    this.#isDone = true;
    this.#engine.wheel.cancel(this.#deadline);
    this.#engine.wheel.cancel(this.#nextAttempt);
    this.#plan.signal?.removeEventListener("abort", this.#aborted);
  }

  #attempt(): void {
    if (this.#isDone) return;
    const address = this.#addresses.shift();
    if (address === undefined) return;
    if (this.#addresses.length > 0) this.#arm(this.#nextAttempt, ATTEMPT_DELAY_MS);
    const attempt = new Attempt(this, {
      maxBytes: this.#plan.maxHeaderBytes,
      maxHeaders: this.#plan.maxHeaders,
    });
    this.#attempts.add(attempt);
    try {
      attempt.connection = this.#engine.transport.connect({ ...this.#plan.socketOptions, address }, attempt);
    } catch (error) {
      // Anything else is a wrong argument, such as a path that is too long: no address will do better.
      if (error instanceof RingwireError) this.attemptFailed(attempt, error);
      else this.fail(error);
    }
  }

  #arm(timer: CallbackTimer, delayMs: number): void {
    this.#engine.wheel.schedule(timer, this.#engine.runtime.nowMs(), delayMs);
  }

  /** Whether an attempt is past TCP and in its TLS handshake: a peer is there, another address need not be tried. */
  get #isSecuring(): boolean {
    if (this.#plan.socketOptions.tls === undefined || this.#winner !== undefined) return false;
    for (const attempt of this.#attempts) if (attempt.isReached) return true;
    return false;
  }

  #timedOut(): void {
    const { url, connectTimeoutMs, handshakeTimeoutMs } = this.#plan;
    const { tls } = this.#plan.socketOptions;
    if (tls !== undefined && this.#isSecuring && !this.#isTcpOver) {
      this.#isTcpOver = true;
      // Who has not been reached by now is late.
      for (const attempt of this.#attempts) if (!attempt.isReached) attempt.giveUp();
      // The transport has its own deadline, which began with TCP and so comes first.
      this.#arm(this.#deadline, tls.handshakeTimeoutMs);
      return;
    }
    if (this.#isTcpOver && this.#winner === undefined) {
      this.fail(tlsError("ERR_TLS_TIMEOUT", `Cannot connect to ${withoutUser(url)}`));
      return;
    }
    this.fail(
      this.#winner === undefined
        ? new RingwireError(
            "ERR_CONNECTION_TIMEOUT",
            `Cannot connect to ${withoutUser(url)} within ${connectTimeoutMs} ms`,
          )
        : new RingwireError(
            "ERR_HANDSHAKE_TIMEOUT",
            `Cannot open ${withoutUser(url)}: the server did not answer the handshake within ${handshakeTimeoutMs} ms`,
          ),
    );
  }
}

/** One connection on its way to become the WebSocket. */
class Attempt<Data> implements ConnectionHandler {
  connection: Connection | undefined = undefined;
  readonly #handshake: ClientHandshake<Data>;
  readonly #parser: HeadParser;
  #isOver = false;

  constructor(handshake: ClientHandshake<Data>, limits: { maxBytes: number; maxHeaders: number }) {
    this.#handshake = handshake;
    this.#parser = new HeadParser("response", limits);
  }

  /** The peer has answered on TCP. */
  get isReached(): boolean {
    return !this.#isOver && this.connection?.remoteAddress() !== undefined;
  }

  send(request: string): void {
    writeHead(this.connection as Connection, request);
  }

  giveUp(): void {
    this.#isOver = true;
    this.connection?.abort();
  }

  opened(): void {
    if (!this.#isOver) this.#handshake.connected(this);
  }

  received(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isOver) return;
    try {
      const next = this.#parser.feed(bytes, start, end);
      if (next >= 0) {
        this.#handshake.answered(this.connection as Connection, this.#parser, bytes, next, end);
        this.#isOver = true;
      }
    } catch (error) {
      if (!(error instanceof RingwireError)) throw error;
      this.#handshake.fail(error);
    }
  }

  ended(): void {
    this.#closedEarly(undefined);
    this.connection?.close();
  }

  drained(): void {}

  closed(error: RingwireError | undefined): void {
    this.#closedEarly(error);
  }

  #closedEarly(error: RingwireError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#handshake.attemptFailed(
      this,
      error ??
        new RingwireError(
          "ERR_CONNECTION_CLOSED",
          "Cannot open the WebSocket: the server hung up during the handshake",
        ),
    );
  }
}
