/**
 * The deadlines of one socket on one timer: silence, pings, unfinished messages, closing.
 *
 * Receiving only sets a flag; the timer looks at it a few times per interval. So a deadline about silence may
 * be up to 1/8 late, and a busy connection pays one store per read. What has passed is looked at once more a little later: timers may
 * come before reads, and after a stall of our thread, or a pause, the answer may be there already.
 */

import { RingwireError } from "../errors.ts";
import type { Engine } from "../loop.ts";
import { Timer, type TimerWheel } from "../timer_wheel.ts";
import type { Settings } from "./settings.ts";

/** What has passed. */
export type Deadline = "idle" | "pong" | "message" | "close";

/** What a socket fails with when one has passed. A peer that does not close is no more than reset. */
export const DEADLINE_ERRORS: Readonly<Record<Exclude<Deadline, "close">, () => RingwireError>> = {
  idle: () =>
    new RingwireError("ERR_IDLE_TIMEOUT", "The peer was silent for longer than idleTimeoutMs", {
      closeCode: 1001,
    }),
  pong: () =>
    new RingwireError("ERR_PONG_TIMEOUT", "The peer did not answer a ping within pongTimeoutMs", {
      closeCode: 1001,
    }),
  message: () =>
    new RingwireError("ERR_MESSAGE_TIMEOUT", "A message stayed incomplete for longer than messageTimeoutMs", {
      closeCode: 1008,
    }),
};

/** The socket, as its keepalive sees it. */
export interface KeepaliveTarget {
  readonly context: KeepaliveContext;
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

/** A message that had begun and not ended when it was looked at first. */
interface Unfinished {
  readonly sinceMs: number;
  /** Messages completed before it. */
  readonly count: number;
}

const CHECKS_PER_INTERVAL = 8;
/** The last look comes so much later, 1/8 within these: a turn for each of thousands of sockets. */
const SHORTEST_LAST_LOOK_MS = 40;
const LONGEST_LAST_LOOK_MS = 250;
/** Silence does not matter any more. */
const CLOSING = -1;
/** The last ping was answered, or there was none. */
const ANSWERED = -1;
const NOT_PAUSED = -1;

/** See the top of this file. */
export class Keepalive extends Timer {
  /** Set by the socket whenever bytes arrive. */
  active: boolean = true;
  readonly #target: KeepaliveTarget;
  // Whole milliseconds, rounded up: a fraction would be an object of its own on V8.
  #quietSinceMs = 0;
  #pingSentMs = ANSWERED;
  #pausedMs = NOT_PAUSED;
  /** The time for a look came while nothing was read: it is due upon resuming, however short that is, or a regular program would evade all. */
  #isLookDue = false;
  /** The look before found that a deadline had passed. */
  #isLastLook = false;
  #unfinished: Unfinished | undefined = undefined;

  constructor(target: KeepaliveTarget) {
    super();
    this.#target = target;
  }

  /** Begins to watch an open socket. */
  start(): void {
    const nowMs = this.#nowMs;
    const periodMs = this.#periodMs;
    // An endpoint that is removed as soon as it is there closes before it is watched.
    if (this.#quietSinceMs === CLOSING) return;
    this.#quietSinceMs = Math.ceil(nowMs);
    if (periodMs !== Infinity) this.#wheel.schedule(this, nowMs, periodMs);
  }

  /** From now on only the deadline for closing counts. */
  closing(): void {
    if (this.#quietSinceMs === CLOSING) return;
    this.#quietSinceMs = CLOSING;
    this.#isLastLook = false;
    this.#isLookDue = false;
    this.#wheel.schedule(this, this.#nowMs, this.#target.context.settings.closeTimeoutMs);
  }

  /** Ends all watching. */
  stop(): void {
    this.#isLookDue = false;
    this.#wheel.cancel(this);
  }

  /** Nothing is read from now on: until `resumed` no time counts against the peer. */
  paused(): void {
    if (this.#pausedMs === NOT_PAUSED) this.#pausedMs = Math.round(this.#nowMs);
  }

  /** The peer's time goes on where it stood. Does nothing if it was not paused. */
  resumed(): void {
    if (this.#pausedMs === NOT_PAUSED) return;
    const nowMs = this.#nowMs;
    // To the nearest: rounded up, many short pauses would be longer than all of the time.
    const passedMs = Math.round(nowMs) - this.#pausedMs;
    this.#pausedMs = NOT_PAUSED;
    if (this.#quietSinceMs !== CLOSING) this.#quietSinceMs += passedMs;
    if (this.#pingSentMs !== ANSWERED) this.#pingSentMs += passedMs;
    if (this.#unfinished !== undefined) {
      const { sinceMs, count } = this.#unfinished;
      this.#unfinished = { sinceMs: sinceMs + passedMs, count };
    }
    if (!this.#isLookDue) return;
    this.#isLookDue = false;
    this.#wheel.schedule(this, nowMs, 0);
  }

  override expired(): void {
    const nowMs = this.#nowMs;
    const isClosing = this.#quietSinceMs === CLOSING;
    if (!isClosing && this.#pausedMs !== NOT_PAUSED) {
      this.#isLookDue = true;
      return;
    }
    const passed = isClosing ? "close" : this.#check(nowMs);
    const isLastLook = this.#isLastLook;
    this.#isLastLook = passed !== undefined;
    if (passed === undefined) return;
    if (isLastLook) {
      this.#target.deadlinePassed(passed);
      return;
    }
    const delayMs = this.#target.context.settings[`${passed}TimeoutMs` as const] / CHECKS_PER_INTERVAL;
    const longestMs = Math.min(delayMs, LONGEST_LAST_LOOK_MS);
    this.#wheel.schedule(this, nowMs, Math.max(longestMs, SHORTEST_LAST_LOOK_MS));
  }

  get #wheel(): TimerWheel {
    return this.#target.context.engine.wheel;
  }

  get #nowMs(): number {
    return this.#target.context.engine.runtime.nowMs();
  }

  /** Between two looks; Infinity: there is nothing to look for. */
  get #periodMs(): number {
    const { idleTimeoutMs, pingIntervalMs, messageTimeoutMs } = this.#target.context.settings;
    const intervalMs = Math.min(
      idleTimeoutMs || Infinity,
      pingIntervalMs || Infinity,
      messageTimeoutMs || Infinity,
    );
    return intervalMs / CHECKS_PER_INTERVAL;
  }

  #check(nowMs: number): Deadline | undefined {
    const { idleTimeoutMs, pingIntervalMs, pongTimeoutMs } = this.#target.context.settings;
    if (this.active) {
      this.active = false;
      this.#quietSinceMs = Math.ceil(nowMs);
      this.#pingSentMs = ANSWERED;
    }
    const silenceMs = nowMs - this.#quietSinceMs;
    if (this.#pingSentMs !== ANSWERED && nowMs - this.#pingSentMs >= pongTimeoutMs) return "pong";
    const wantsPing = pingIntervalMs > 0 && this.#pingSentMs === ANSWERED && silenceMs >= pingIntervalMs;
    // A peer that was not asked because our thread stood still is asked before it is given up.
    if (idleTimeoutMs > 0 && silenceMs >= idleTimeoutMs && !wantsPing) return "idle";
    if (this.#isMessageOverdue(nowMs)) return "message";
    if (wantsPing) {
      this.#pingSentMs = Math.ceil(nowMs);
      this.#target.sendKeepalivePing();
    }
    const pongWaitMs = this.#pingSentMs === ANSWERED ? Infinity : this.#pingSentMs + pongTimeoutMs - nowMs;
    this.#wheel.schedule(this, nowMs, Math.min(this.#periodMs, pongWaitMs));
    return undefined;
  }

  #isMessageOverdue(nowMs: number): boolean {
    const { messageTimeoutMs } = this.#target.context.settings;
    const target = this.#target;
    if (messageTimeoutMs === 0 || !target.inMessage) {
      this.#unfinished = undefined;
      return false;
    }
    if (this.#unfinished?.count !== target.messageCount) {
      this.#unfinished = { sinceMs: nowMs, count: target.messageCount };
      return false;
    }
    return nowMs - this.#unfinished.sinceMs >= messageTimeoutMs;
  }
}
