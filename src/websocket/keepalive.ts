/**
 * The deadlines of one socket on one timer: silence, pings, unfinished messages, closing.
 *
 * Receiving only sets a flag; the timer looks at it a few times per interval. So a deadline about silence may
 * be up to 1/8 late, and a busy connection pays one store per read.
 */

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

const CHECKS_PER_INTERVAL = 8;

/** See the top of this file. */
export class Keepalive extends Timer {
  /** Set by the socket whenever bytes arrive. */
  active: boolean = true;
  readonly #wheel: TimerWheel;
  readonly #nowMs: () => number;
  readonly #settings: Settings;
  readonly #target: KeepaliveTarget;
  readonly #periodMs: number;
  #closing = false;
  #quietSinceMs = 0;
  #pingSentMs = -1;
  #unfinishedSinceMs = -1;
  #unfinishedCount = -1;

  constructor(wheel: TimerWheel, nowMs: () => number, settings: Settings, target: KeepaliveTarget) {
    super();
    this.#wheel = wheel;
    this.#nowMs = nowMs;
    this.#settings = settings;
    this.#target = target;
    this.#periodMs =
      Math.min(
        settings.idleTimeoutMs || Infinity,
        settings.pingIntervalMs || Infinity,
        settings.messageTimeoutMs || Infinity,
      ) / CHECKS_PER_INTERVAL;
  }

  /** Begins to watch an open socket. */
  start(): void {
    const nowMs = this.#nowMs();
    this.#quietSinceMs = nowMs;
    // An endpoint that is removed as soon as it is there closes before it is watched.
    if (this.#closing) return;
    if (this.#periodMs !== Infinity) this.#wheel.schedule(this, nowMs, this.#periodMs);
  }

  /** From now on only the deadline for closing counts. */
  closing(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#wheel.schedule(this, this.#nowMs(), this.#settings.closeTimeoutMs);
  }

  /** Ends all watching. */
  stop(): void {
    this.#wheel.cancel(this);
  }

  override expired(): void {
    const passed = this.#closing ? "close" : this.#check(this.#nowMs());
    if (passed !== undefined) this.#target.deadlinePassed(passed);
  }

  #check(nowMs: number): Deadline | undefined {
    const { idleTimeoutMs, pingIntervalMs, pongTimeoutMs } = this.#settings;
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
    const { messageTimeoutMs } = this.#settings;
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
