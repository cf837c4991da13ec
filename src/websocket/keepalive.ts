/**
 * The deadlines of one socket on one timer: silence, pings, unfinished messages, closing.
 *
 * Receiving only sets a flag; the timer looks at it a few times per interval. So a deadline about silence may
 * be up to 1/8 late, and a busy connection pays one store per read.
 */

import type { Engine } from "../loop.ts";
import { Timer, type TimerWheel } from "../timer_wheel.ts";
import type { Settings } from "./settings.ts";

/** What has passed. */
export type Deadline = "idle" | "pong" | "message" | "close";

/** The socket, as its keepalive sees it. */
export interface KeepaliveTarget {
  /** Whether silence means anything: false while receiving is paused. */
  readonly isReceiving: boolean;
  /** Whether a message has begun and not ended. */
  readonly inMessage: boolean;
  /** Messages completed so far. */
  readonly messageCount: number;
  sendKeepalivePing(): void;
  deadlinePassed(deadline: Deadline): void;
}

/** What it shares with those of other sockets. */
export interface KeepaliveContext {
  readonly engine: { readonly wheel: TimerWheel; readonly runtime: Pick<Engine["runtime"], "nowMs"> };
  readonly settings: Settings;
}

const CHECKS_PER_INTERVAL = 8;

/** See the top of this file. */
export class Keepalive extends Timer {
  /** Set by the socket whenever bytes arrive. */
  active: boolean = true;
  readonly #context: KeepaliveContext;
  readonly #target: KeepaliveTarget;
  #closing = false;
  #quietSinceMs = 0;
  #pingSentMs = -1;
  #unfinishedSinceMs = -1;
  #unfinishedCount = -1;

  constructor(context: KeepaliveContext, target: KeepaliveTarget) {
    super();
    this.#context = context;
    this.#target = target;
  }

  /** Begins to watch an open socket. */
  start(): void {
    const nowMs = this.#nowMs;
    const periodMs = this.#periodMs;
    this.#quietSinceMs = nowMs;
    // An endpoint that is removed as soon as it is there closes before it is watched.
    if (this.#closing) return;
    if (periodMs !== Infinity) this.#wheel.schedule(this, nowMs, periodMs);
  }

  /** From now on only the deadline for closing counts. */
  closing(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#wheel.schedule(this, this.#nowMs, this.#context.settings.closeTimeoutMs);
  }

  /** Ends all watching. */
  stop(): void {
    this.#wheel.cancel(this);
  }

  override expired(): void {
    const passed = this.#closing ? "close" : this.#check(this.#nowMs);
    if (passed !== undefined) this.#target.deadlinePassed(passed);
  }

  get #wheel(): TimerWheel {
    return this.#context.engine.wheel;
  }

  get #nowMs(): number {
    return this.#context.engine.runtime.nowMs();
  }

  /** Between two looks; Infinity: there is nothing to look for. */
  get #periodMs(): number {
    const { idleTimeoutMs, pingIntervalMs, messageTimeoutMs } = this.#context.settings;
    const intervalMs = Math.min(
      idleTimeoutMs || Infinity,
      pingIntervalMs || Infinity,
      messageTimeoutMs || Infinity,
    );
    return intervalMs / CHECKS_PER_INTERVAL;
  }

  #check(nowMs: number): Deadline | undefined {
    const { idleTimeoutMs, pingIntervalMs, pongTimeoutMs } = this.#context.settings;
    if (this.active || !this.#target.isReceiving) {
      this.active = false;
      this.#quietSinceMs = nowMs;
      this.#pingSentMs = -1;
    }
    const silenceMs = nowMs - this.#quietSinceMs;
    if (this.#pingSentMs >= 0 && nowMs - this.#pingSentMs >= pongTimeoutMs) return "pong";
    if (idleTimeoutMs > 0 && silenceMs >= idleTimeoutMs) return "idle";
    if (this.#isMessageOverdue(nowMs)) return "message";
    if (pingIntervalMs > 0 && this.#pingSentMs < 0 && silenceMs >= pingIntervalMs) {
      this.#pingSentMs = nowMs;
      this.#target.sendKeepalivePing();
    }
    const pongWaitMs = this.#pingSentMs < 0 ? Infinity : this.#pingSentMs + pongTimeoutMs - nowMs;
    this.#wheel.schedule(this, nowMs, Math.min(this.#periodMs, pongWaitMs));
    return undefined;
  }

  #isMessageOverdue(nowMs: number): boolean {
    const { messageTimeoutMs } = this.#context.settings;
    const target = this.#target;
    if (messageTimeoutMs === 0 || !target.inMessage || !target.isReceiving) {
      this.#unfinishedSinceMs = -1;
      return false;
    }
    if (this.#unfinishedSinceMs < 0 || this.#unfinishedCount !== target.messageCount) {
      this.#unfinishedSinceMs = nowMs;
      this.#unfinishedCount = target.messageCount;
      return false;
    }
    return nowMs - this.#unfinishedSinceMs >= messageTimeoutMs;
  }
}
