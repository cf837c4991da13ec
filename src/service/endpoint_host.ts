/**
 * The life of an endpoint from the inside: attempt, connection, loss, delay, and again. One connection delivers at a time; when its time
 * is over a successor is opened beside it and held back until the old one is gone.
 */

import { RingwireError } from "../errors.ts";
import type { Engine } from "../loop.ts";
import { withoutUser } from "../protocol/url.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { CallbackTimer } from "../timer_wheel.ts";
import type { ClientHandshake, Opener } from "../websocket/client_handshake.ts";
import { Connector } from "../websocket/connector.ts";
import { handlerError, type Session } from "../websocket/session.ts";
import type { Socket } from "../websocket/socket.ts";
import { Backoff } from "./backoff.ts";
import { boundHandlers } from "./bound_handlers.ts";
import type { DisconnectReason } from "./disconnect_reason.ts";
import { Endpoint, type EndpointState, type EndpointView } from "./endpoint.ts";
import {
  connectOptionsOf,
  type EndpointOptions,
  type EndpointPlan,
  type EndpointUrl,
  type HeartbeatOptions,
  readEndpointPlan,
} from "./endpoint_options.ts";
import { Line, type LineOwner } from "./line.ts";

/** The service, as its endpoints see it. */
export interface Household<Context> {
  readonly context: Context;
  /** The loop's, with the metrics of the service. */
  readonly engine: Engine;
  /** The endpoint will have no connection again unless somebody adds it anew. Once. */
  stopped(): void;
  /** The endpoint is gone. Once, after `stopped`. */
  removed(endpoint: Endpoint<Context>): void;
}

/** How long the old connection waits for the first message of its successor. */
const OVERLAP_MS = 5_000;
const DEFAULT_BACKOFF = { initialMs: 100, factor: 1.5, maxMs: 30_000 };

type Owner<Context> = EndpointView<Context> & LineOwner<Context> & Opener<Endpoint<Context>>;

/** See the top of this file. */
export class EndpointHost<Context> implements Owner<Context> {
  readonly endpoint: Endpoint<Context> = new Endpoint<Context>(this);
  readonly plan: EndpointPlan;
  readonly context: Context;
  readonly heartbeat: HeartbeatOptions<Context> | undefined;
  url: string = "";
  attempts: number = 0;
  reconnects: number = 0;
  lastReason: DisconnectReason | undefined = undefined;
  readonly #options: EndpointOptions<Context>;
  readonly #household: Household<Context>;
  readonly #connector: Connector<Endpoint<Context>>;
  readonly #engine: Engine;
  readonly #backoff: Backoff;
  readonly #retry: CallbackTimer;
  readonly #urlDeadline: CallbackTimer;
  readonly #overlap: CallbackTimer;
  #state: EndpointState = "connecting";
  /** The connection that delivers. */
  #line: Line<Context> | undefined = undefined;
  /** Takes the line's place when that is gone; its messages are held until then. */
  #successor: Line<Context> | undefined = undefined;
  #handshake: ClientHandshake<Endpoint<Context>> | undefined = undefined;
  /** Whether an attempt is under way, from asking for the URL on. */
  #isTrying = false;
  /** Attempts that were given up are known by their number. */
  #attemptNumber = 0;
  #hasBeenOpen = false;
  #gap:
    | { readonly line: Line<Context>; readonly reason: DisconnectReason; readonly attempts: number }
    | undefined = undefined;
  #isStopped = false;
  #isRemoved = false;
  #resolveGone: () => void = () => undefined;
  readonly #gone: Promise<void> = new Promise((resolve) => {
    this.#resolveGone = resolve;
  });

  /** @throws TypeError, RangeError for options that are unknown, out of range or do not fit. */
  constructor(household: Household<Context>, options: EndpointOptions<Context>) {
    this.plan = readEndpointPlan(options);
    this.context = household.context;
    this.heartbeat = options.heartbeat;
    this.#options = options;
    this.#household = household;
    this.#engine = household.engine;
    const connectOptions = {
      ...connectOptionsOf(options),
      data: this.endpoint,
      websocket: boundHandlers(options.websocket ?? {}, household.context),
    };
    this.#connector = new Connector<Endpoint<Context>>("endpoint", connectOptions, household.engine);
    if (typeof options.url !== "function") this.#connector.check(options.url);
    this.#backoff = new Backoff(this.plan.reconnect ?? DEFAULT_BACKOFF, () =>
      randomShare(this.#engine.runtime),
    );
    this.#retry = new CallbackTimer(() => this.#attempt());
    this.#urlDeadline = new CallbackTimer(() => this.#urlTimedOut());
    this.#overlap = new CallbackTimer(() => this.#succeed());
  }

  // ── what the endpoint shows ──────────────────────────────────────────────────────────────────

  get state(): EndpointState {
    return this.#state === "open" && this.socket === undefined ? "waiting" : this.#state;
  }

  get socket(): Socket<Endpoint<Context>> | undefined {
    return this.#openLine?.session.socket;
  }

  get connectedSinceMs(): number | undefined {
    return this.#openLine?.openedMs;
  }

  get #openLine(): Line<Context> | undefined {
    if (this.#line?.isOpen) return this.#line;
    return this.#successor?.isOpen ? this.#successor : undefined;
  }

  // ── from the service ─────────────────────────────────────────────────────────────────────────

  /** Begins the first attempt, before it returns. */
  start(): void {
    this.#attempt();
  }

  /** Closes what is open and gives up what is not. Resolves when all is gone. */
  remove(): Promise<void> {
    if (this.#isRemoved) return this.#gone;
    this.#isRemoved = true;
    this.#attemptNumber++;
    this.#handshake?.giveUp();
    for (const timer of [this.#retry, this.#urlDeadline, this.#overlap]) this.#engine.wheel.cancel(timer);
    this.#successor?.drop("removed");
    this.#line?.close("removed");
    if (this.#line === undefined && this.#successor === undefined) {
      const finish = (): void => this.#finish(this.#nothing("removed", undefined));
      // Of a loop that is closed there is no later.
      if (this.#engine.isClosed()) finish();
      else this.#engine.soon(finish);
    }
    return this.#gone;
  }

  // ── from the attempt ─────────────────────────────────────────────────────────────────────────

  opened(session: Session<Endpoint<Context>>): void {
    this.#isTrying = false;
    this.#handshake = undefined;
    const line = new Line(this.#engine, this, session, this.url);
    if (this.#line !== undefined) {
      this.#successor = line;
      session.inbox.hold(() => this.#succeed());
      this.#schedule(this.#overlap, OVERLAP_MS);
      return;
    }
    this.#settle(line);
    this.#tellGap();
  }

  failed(error: unknown): void {
    this.#isTrying = false;
    this.#handshake = undefined;
    this.#lost(this.#nothing("connect", asRingwireError(error)));
  }

  // ── from the connections ─────────────────────────────────────────────────────────────────────

  ttlOver(line: Line<Context>): boolean {
    if (line !== this.#line || !line.isOpen) return true;
    const { canAutoDisconnect } = this.#options;
    const isAllowed = this.#ask(() => canAutoDisconnect?.call(this.#options, this.context, this.endpoint));
    if (!isAllowed) return false;
    if (this.plan.makeBeforeBreak && this.plan.reconnect !== undefined) this.#attempt();
    else line.close("ttl");
    return true;
  }

  ended(line: Line<Context>): void {
    const reason = line.reason();
    if (reason.openMs >= (this.plan.reconnect?.provenMs ?? 0)) this.#backoff.reset();
    const wasLine = line === this.#line;
    if (wasLine) this.#line = undefined;
    else this.#successor = undefined;
    if (this.#isRemoved) {
      if (this.#line === undefined && this.#successor === undefined) this.#finish(reason);
    } else if (!wasLine) {
      this.#engine.wheel.cancel(this.#overlap);
      this.#lost(reason);
    } else if (this.#successor !== undefined) {
      this.#replaced(line, reason, this.#successor);
    } else {
      // An attempt that is under way counts as one of those it took.
      this.#gap = { line, reason, attempts: this.attempts - (this.#isTrying ? 1 : 0) };
      this.#lost(reason);
    }
  }

  // ── inside ───────────────────────────────────────────────────────────────────────────────────

  #attempt(): void {
    const number = ++this.#attemptNumber;
    const { url } = this.#options;
    this.#isTrying = true;
    this.attempts++;
    if (this.#line === undefined) this.#state = "connecting";
    try {
      const answer = typeof url === "function" ? url.call(this.#options, this.context, this.endpoint) : url;
      if (!(answer instanceof Promise)) {
        this.#dial(answer);
        return;
      }
      this.#schedule(this.#urlDeadline, this.#connector.connectTimeoutMs);
      answer.then(
        (later) => this.#guarded(number, () => this.#dial(later)),
        (thrown: unknown) => this.#guarded(number, () => this.failed(handlerError(thrown))),
      );
    } catch (thrown) {
      this.#engine.soon(() => this.#guarded(number, () => this.failed(handlerError(thrown))));
    }
  }

  /** Runs the rest of an attempt, unless it was given up. */
  #guarded(number: number, rest: () => void): void {
    if (number !== this.#attemptNumber) return;
    this.#engine.wheel.cancel(this.#urlDeadline);
    try {
      rest();
    } catch (thrown) {
      this.failed(handlerError(thrown));
    }
  }

  #dial(url: EndpointUrl): void {
    this.url = withoutUser(String(url));
    this.#handshake = this.#connector.open(url, this);
  }

  #urlTimedOut(): void {
    this.#attemptNumber++;
    const { connectTimeoutMs } = this.#connector;
    this.failed(
      new RingwireError("ERR_CONNECTION_TIMEOUT", `url() did not answer within ${connectTimeoutMs} ms`),
    );
  }

  /** A connection takes its place. */
  #settle(line: Line<Context>): void {
    this.#line = line;
    this.#state = "open";
    if (this.#hasBeenOpen) this.reconnects++;
    this.#hasBeenOpen = true;
  }

  /** The successor is there and has something to say: the old connection closes, and delivers what is on its way until it is gone. */
  #succeed(): void {
    this.#engine.wheel.cancel(this.#overlap);
    this.#line?.close("ttl");
  }

  #replaced(old: Line<Context>, reason: DisconnectReason, successor: Line<Context>): void {
    this.#engine.wheel.cancel(this.#overlap);
    this.#successor = undefined;
    this.lastReason = reason;
    this.#settle(successor);
    this.#tellClosed(reason);
    // Broken by something else before the successor could take over.
    if (!old.hasExpired) this.#gap = { line: old, reason, attempts: this.attempts };
    this.#tellGap();
    successor.session.inbox.release();
  }

  /** After every end and every failed attempt: whether to come back, and when. */
  #lost(reason: DisconnectReason): void {
    this.lastReason = reason;
    const isReplacing = this.#isTrying || this.#retry.dueTick >= 0;
    // A replacement is under way already, or the connection that was to be replaced is still there.
    if (isReplacing) this.#state = this.#isTrying ? "connecting" : "waiting";
    else if (this.#comesBack(reason)) {
      this.#schedule(this.#retry, Math.max(this.#backoff.next(), reason.error?.retryAfterMs ?? 0));
      if (this.#line === undefined) this.#state = "waiting";
    } else if (this.#line === undefined) {
      this.#stop();
    }
    this.#tellClosed(reason);
  }

  #comesBack(reason: DisconnectReason): boolean {
    const { reconnect } = this.plan;
    if (reconnect === undefined || this.#engine.isClosed()) return false;
    if (reconnect.attempts > 0 && this.#backoff.failures >= reconnect.attempts) return false;
    const { canRecreate } = this.#options;
    return this.#ask(() => canRecreate?.call(this.#options, reason, this.context, this.endpoint));
  }

  #stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#state = "stopped";
    this.#household.stopped();
  }

  #finish(reason: DisconnectReason): void {
    this.#stop();
    this.#state = "removed";
    this.lastReason = reason;
    this.#household.removed(this.endpoint);
    this.#tellClosed(reason);
    this.#resolveGone();
  }

  #tellGap(): void {
    const lost = this.#gap;
    if (lost === undefined) return;
    this.#gap = undefined;
    const { reason } = lost;
    const sinceMs = lost.line.lostSinceMs as number;
    const durationMs = this.#engine.runtime.nowMs() - sinceMs;
    const attempts = this.attempts - lost.attempts;
    const { diagnostics } = this.#engine;
    if (diagnostics.wants("endpoint:gap")) {
      const { endpoint, url } = this;
      diagnostics.publish("endpoint:gap", { endpoint, url, kind: reason.kind, durationMs, attempts });
    }
    const { gap } = this.#options;
    const event = { reason, sinceMs, durationMs, attempts };
    this.#tell(() => gap?.call(this.#options, event, this.context, this.endpoint));
  }

  #tellClosed(reason: DisconnectReason): void {
    const { diagnostics } = this.#engine;
    if (diagnostics.wants("endpoint:closed")) {
      const { endpoint, state } = this;
      diagnostics.publish("endpoint:closed", { endpoint, url: reason.url, kind: reason.kind, state });
    }
    const { closed } = this.#options;
    this.#tell(() => closed?.call(this.#options, reason, this.context, this.endpoint));
  }

  /** Calls the program. What it throws is its own matter, and costs no connection. */
  #tell(call: () => unknown): void {
    try {
      const result = call();
      if (result instanceof Promise) result.catch((thrown: unknown) => console.error(handlerError(thrown)));
    } catch (thrown) {
      console.error(handlerError(thrown));
    }
  }

  /** Asks the program; only `false` is a no. */
  #ask(question: () => boolean | undefined): boolean {
    let answer: boolean | undefined;
    this.#tell(() => {
      answer = question();
    });
    return answer !== false;
  }

  /** The reason of an end without a connection. */
  #nothing(kind: DisconnectReason["kind"], error: RingwireError | undefined): DisconnectReason {
    return { kind, error, close: undefined, openMs: 0, url: this.url };
  }

  #schedule(timer: CallbackTimer, delayMs: number): void {
    this.#engine.wheel.schedule(timer, this.#engine.runtime.nowMs(), delayMs);
  }
}

/** From 0 to 1, 1 excluded. */
function randomShare(runtime: Runtime): number {
  const words = new Uint32Array(1);
  runtime.randomFill(new Uint8Array(words.buffer));
  return words[0] / 2 ** 32;
}

/** A wrong argument, such as a URL that is none, came from the program's `url`. */
function asRingwireError(error: unknown): RingwireError {
  return error instanceof RingwireError ? error : handlerError(error);
}
