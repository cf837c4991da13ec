/** One open connection of an endpoint, with what is watched on it and what it ended of. */

import type { RingwireError } from "../errors.ts";
import type { Engine } from "../loop.ts";
import { handlerError } from "../stream/handler_calls.ts";
import type { Session } from "../websocket/session.ts";
import { type DisconnectKind, type DisconnectReason, kindOfEnd } from "./disconnect_reason.ts";
import type { Endpoint } from "./endpoint.ts";
import type { EndpointPlan, HeartbeatOptions } from "./endpoint_options.ts";
import { LineWatch, type WatchOwner } from "./line_watch.ts";

/** The endpoint, as its connections see it. */
export interface LineOwner<Context> {
  readonly plan: EndpointPlan;
  readonly heartbeat: HeartbeatOptions<Context> | undefined;
  readonly context: Context;
  /** The connection has lived for `ttlMs`. Returns false to be asked again. */
  ttlOver(line: Line<Context>): boolean;
  /** It is gone, and its `close` handler has run. */
  ended(line: Line<Context>): void;
}

/** See the top of this file. */
export class Line<Context> implements WatchOwner {
  readonly session: Session<Endpoint<Context>>;
  readonly openedMs: number;
  /** Since when messages may be missing; undefined while it is open. */
  lostSinceMs: number | undefined = undefined;
  readonly #engine: Engine;
  readonly #owner: LineOwner<Context>;
  readonly #url: string;
  readonly #watch: LineWatch;
  #hasBeaten = false;
  /** Why the endpoint itself has ended it, if it has. */
  #ending: DisconnectKind | undefined = undefined;

  /** @param url - Without user and password. */
  constructor(engine: Engine, owner: LineOwner<Context>, session: Session<Endpoint<Context>>, url: string) {
    const nowMs = (): number => engine.runtime.nowMs();
    this.#engine = engine;
    this.#owner = owner;
    this.session = session;
    this.#url = url;
    this.openedMs = nowMs();
    const { staleMs, heartbeatMs, ttlMs } = owner.plan;
    this.#watch = new LineWatch(engine.wheel, nowMs, { staleMs, heartbeatMs, ttlMs }, session, this);
    this.#watch.start();
    session.whenFailing((error) => this.#failing(error));
    session.whenClosed(() => this.#closed());
  }

  /** Whether something can be sent. */
  get isOpen(): boolean {
    return this.session.state === "open";
  }

  /** Closes it with the closing handshake. */
  close(ending: DisconnectKind): void {
    if (this.isOpen) this.#ending ??= ending;
    this.session.close(1000, "");
  }

  /** Drops it: its peer is not to be waited for. */
  drop(ending: DisconnectKind): void {
    if (this.isOpen) this.#ending ??= ending;
    this.session.terminate();
  }

  /** Why it ended. */
  reason(): DisconnectReason {
    const { session } = this;
    return {
      kind: this.#ending ?? kindOfEnd(session),
      error: session.failure,
      close: session.closeInfo,
      openMs: this.#engine.runtime.nowMs() - this.openedMs,
      url: this.#url,
    };
  }

  // ── from the watch ───────────────────────────────────────────────────────────────────────────

  isStale(sinceMs: number): void {
    this.lostSinceMs = sinceMs;
    this.drop("stale");
  }

  beat(): void {
    const { heartbeat, context } = this.#owner;
    const { socket } = this.session;
    if (heartbeat === undefined || !this.isOpen) return;
    try {
      const isAlive = !this.#hasBeaten || heartbeat.isAlive?.(socket, context) !== false;
      if (!isAlive) {
        this.drop("heartbeat");
        return;
      }
      this.#hasBeaten = true;
      // The question may have closed it.
      if (!this.isOpen) return;
      const result = heartbeat.send(socket, context);
      if (result instanceof Promise)
        result.catch((thrown: unknown) => this.session.fail(handlerError(thrown, "A WebSocket handler")));
    } catch (thrown) {
      this.session.fail(handlerError(thrown, "A WebSocket handler"));
    }
  }

  isDue(): boolean {
    return this.#owner.ttlOver(this);
  }

  // ── inside ───────────────────────────────────────────────────────────────────────────────────

  /** A successor need not wait until the peer has closed too: it gets our Close frame, unless it is silent, and that is all. */
  #failing({ code }: RingwireError): void {
    this.lostSinceMs ??= this.#engine.runtime.nowMs();
    if (code === "ERR_PONG_TIMEOUT" || code === "ERR_IDLE_TIMEOUT") this.session.terminate();
    else this.session.connection.close();
  }

  #closed(): void {
    this.#watch.stop();
    this.lostSinceMs ??= this.#engine.runtime.nowMs();
    this.#owner.ended(this);
  }
}
