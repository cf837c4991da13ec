/**
 * The life of an endpoint from the inside: attempt, connection, loss, delay, and again. One connection delivers at a time; when its time
 * is over a successor is opened beside it and held back until the old one is gone.
 */

import type { RingwireError } from "../errors.ts";
import type { Engine } from "../loop.ts";
import { Backoff, randomShare } from "../stream/backoff.ts";
import { CallbackTimer } from "../timer_wheel.ts";
import { Connector } from "../websocket/connector.ts";
import type { Session } from "../websocket/session.ts";
import type { Socket } from "../websocket/socket.ts";
import { Attempt, type AttemptOwner } from "./attempt.ts";
import { boundHandlers } from "./bound_handlers.ts";
import type { DisconnectReason } from "./disconnect_reason.ts";
import { Endpoint, type EndpointState, type EndpointView } from "./endpoint.ts";
import { EndpointCallbacks } from "./endpoint_callbacks.ts";
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
  /** The endpoint is gone. Once. */
  removed(endpoint: Endpoint<Context>): void;
}

/** How long the old connection waits for the first message of its successor. */
const OVERLAP_MS = 5_000;

type Owner<Context> = EndpointView<Context> & LineOwner<Context> & AttemptOwner<Endpoint<Context>>;

/** See the top of this file. */
export class EndpointHost<Context> implements Owner<Context> {
  readonly endpoint: Endpoint<Context> = new Endpoint<Context>(this);
  readonly plan: EndpointPlan;
  readonly context: Context;
  readonly heartbeat: HeartbeatOptions<Context> | undefined;
  attempts: number = 0;
  reconnects: number = 0;
  lastReason: DisconnectReason | undefined = undefined;
  readonly #callbacks: EndpointCallbacks<Context>;
  readonly #household: Household<Context>;
  readonly #connector: Connector<Endpoint<Context>>;
  readonly #engine: Engine;
  readonly #backoff: Backoff;
  readonly #retry: CallbackTimer;
  readonly #overlap: CallbackTimer;
  #state: EndpointState = "connecting";
  /** The connection that delivers. */
  #line: Line<Context> | undefined = undefined;
  /** Takes the line's place when that is gone; its messages are held until then. */
  #successor: Line<Context> | undefined = undefined;
  /** Under way, beside a line whose time is over too. */
  #attempt: Attempt<Endpoint<Context>> | undefined = undefined;
  /** Where the last attempt went to that has an outcome. */
  #url = "";
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
    this.#household = household;
    this.#engine = household.engine;
    const { diagnostics } = household.engine;
    this.#callbacks = new EndpointCallbacks(options, household.context, this.endpoint, diagnostics);
    const connectOptions = {
      ...connectOptionsOf(options),
      data: this.endpoint,
      websocket: boundHandlers(options.websocket ?? {}, household.context),
    };
    this.#connector = new Connector<Endpoint<Context>>("endpoint", connectOptions, household.engine);
    if (typeof options.url !== "function") this.#connector.check(options.url);
    this.#backoff = new Backoff(this.plan.reconnect, () => randomShare(this.#engine.runtime));
    this.#retry = new CallbackTimer(
      () => this.#try(),
      () => this.#lost(this.#nothing("local", undefined)),
    );
    this.#overlap = new CallbackTimer(() => this.#succeed());
  }

  // ── what the endpoint shows ──────────────────────────────────────────────────────────────────

  get state(): EndpointState {
    return this.#state === "open" && this.socket === undefined ? "waiting" : this.#state;
  }

  get socket(): Socket<Endpoint<Context>> | undefined {
    return this.#openLine?.session.socket;
  }

  get url(): string {
    return this.#attempt?.url || this.#url;
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
    this.#engine.processRef.ref();
    this.#try();
  }

  /** Closes what is open and gives up what is not. Resolves when all is gone. */
  remove(): Promise<void> {
    if (this.#isRemoved) return this.#gone;
    this.#isRemoved = true;
    this.#attempt?.giveUp();
    this.#concluded();
    for (const timer of [this.#retry, this.#overlap]) this.#engine.wheel.cancel(timer);
    this.#successor?.drop("removed");
    this.#line?.close("removed");
    if (this.#line === undefined && this.#successor === undefined) {
      this.#engine.soon(() => this.#finish(this.#nothing("removed", undefined)));
    }
    return this.#gone;
  }

  // ── from the attempt ─────────────────────────────────────────────────────────────────────────

  askUrl(): EndpointUrl | Promise<EndpointUrl> {
    return this.#callbacks.url();
  }

  opened(session: Session<Endpoint<Context>>): void {
    const line = new Line(this.#engine, this, session, this.#concluded());
    if (this.#line !== undefined) {
      this.#successor = line;
      session.inbox.hold(() => this.#succeed());
      this.#schedule(this.#overlap, OVERLAP_MS);
      return;
    }
    this.#settle(line);
    this.#tellGap();
  }

  failed(error: RingwireError): void {
    const url = this.#concluded();
    this.#lost(this.#nothing(this.#engine.isClosed() ? "local" : "connect", error, url));
  }

  // ── from the connections ─────────────────────────────────────────────────────────────────────

  ttlOver(line: Line<Context>): boolean {
    if (line !== this.#line || !line.isOpen) return true;
    if (!this.#callbacks.canAutoDisconnect()) return false;
    // The program may have closed or removed it meanwhile.
    if (!line.isOpen) return true;
    if (this.plan.makeBeforeBreak && this.plan.comesBack) this.#try();
    else line.close("ttl");
    return true;
  }

  ended(line: Line<Context>): void {
    const reason = line.reason();
    if (reason.openMs >= this.plan.reconnect.provenMs) this.#backoff.reset();
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
      this.#gap = { line, reason, attempts: this.attempts - (this.#attempt === undefined ? 0 : 1) };
      this.#lost(reason);
    }
  }

  // ── inside ───────────────────────────────────────────────────────────────────────────────────

  #try(): void {
    this.attempts++;
    if (this.#line === undefined) this.#state = "connecting";
    this.#attempt = new Attempt(this.#engine, this.#connector, this);
    this.#attempt.start();
  }

  /** The attempt has an outcome. Returns where it went to; "" when `url` had not said. */
  #concluded(): string {
    const url = this.#attempt?.url ?? "";
    this.#attempt = undefined;
    if (url !== "") this.#url = url;
    return url;
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
    this.#callbacks.closed(reason);
    // Unless it was closed for its successor and said so: then its last messages have come.
    if (!(reason.kind === "ttl" && reason.close?.wasClean))
      this.#gap = { line: old, reason, attempts: this.attempts };
    this.#tellGap();
    successor.session.inbox.release();
  }

  /** After every end and every failed attempt: whether to come back, and when. */
  #lost(reason: DisconnectReason): void {
    this.lastReason = reason;
    const isWaiting = this.#retry.dueTick >= 0;
    // A replacement is under way already, or the connection that was to be replaced is still there.
    if (this.#attempt !== undefined || isWaiting) this.#state = isWaiting ? "waiting" : "connecting";
    else if (this.#comesBack(reason)) {
      this.#schedule(this.#retry, Math.max(this.#backoff.next(), reason.error?.retryAfterMs ?? 0));
      if (this.#line === undefined) this.#state = "waiting";
    } else if (this.#line === undefined) {
      this.#stop();
    }
    this.#callbacks.closed(reason);
  }

  #comesBack(reason: DisconnectReason): boolean {
    const { comesBack, reconnect } = this.plan;
    if (!comesBack || this.#engine.isClosed()) return false;
    if (reconnect.attempts > 0 && this.#backoff.failures >= reconnect.attempts) return false;
    // It may be removed inside.
    return this.#callbacks.canRecreate(reason) && !this.#isRemoved;
  }

  #stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#state = "stopped";
    this.#engine.processRef.unref();
  }

  /** @param end - How the last connection ended: perhaps by something that came before the removal. */
  #finish(end: DisconnectReason): void {
    const reason: DisconnectReason = { ...end, kind: "removed" };
    this.#stop();
    this.#state = "removed";
    this.lastReason = reason;
    this.#household.removed(this.endpoint);
    this.#callbacks.closed(reason);
    this.#resolveGone();
  }

  #tellGap(): void {
    const lost = this.#gap;
    if (lost === undefined) return;
    this.#gap = undefined;
    const { reason } = lost;
    const sinceMs = lost.line.lostSinceMs as number;
    const durationMs = this.#engine.runtime.nowMs() - sinceMs;
    this.#callbacks.gap({ reason, sinceMs, durationMs, attempts: this.attempts - lost.attempts }, this.url);
  }

  /** The reason of an end without a connection. */
  #nothing(
    kind: DisconnectReason["kind"],
    error: RingwireError | undefined,
    url = this.#url,
  ): DisconnectReason {
    return { kind, error, close: undefined, openMs: 0, url };
  }

  #schedule(timer: CallbackTimer, delayMs: number): void {
    this.#engine.wheel.schedule(timer, this.#engine.runtime.nowMs(), delayMs);
  }
}
