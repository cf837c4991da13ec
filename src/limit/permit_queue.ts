/** Who waits for permits of one bucket: first come, first served, on one timer of the loop's wheel. */

import { CallbackTimer, type TimerWheel } from "../timer_wheel.ts";
import { TokenBucket } from "./token_bucket.ts";

/** What the wheel may be late by, and a little more. */
const LATENESS_MS = 20;

/** Somebody who waits. The object is the handle for `cancel`. */
export interface Waiter {
  readonly permits: number;
  /** The permits are taken. Called from the wheel, or before `request` returns when nobody else waits and there are enough. */
  readonly granted: () => void;
}

/** How fast: what a rate limiter is made of. */
export interface RateTerms {
  readonly perSecond: number;
  readonly burst: number;
}

/** See the top of this file. */
export class PermitQueue {
  readonly #bucket: TokenBucket;
  readonly #perSecond: number;
  readonly #wheel: TimerWheel;
  readonly #nowMs: () => number;
  /** In the order of their coming. */
  readonly #waiters: Set<Waiter> = new Set();
  #waitingPermits = 0;
  readonly #timer: CallbackTimer = new CallbackTimer(() => this.#serve());

  constructor(terms: RateTerms, wheel: TimerWheel, nowMs: () => number) {
    this.#bucket = new TokenBucket(terms.perSecond, terms.burst, nowMs());
    this.#perSecond = terms.perSecond;
    this.#wheel = wheel;
    this.#nowMs = nowMs;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiters.size;
  }

  /** Permits there are; below 0: those that were taken in advance. */
  get balance(): number {
    return this.#bucket.balance(this.#nowMs());
  }

  /** Takes permits, if there are as many and nobody waits for them. More than the burst count as there when the bucket is full. */
  tryTake(permits: number): boolean {
    if (!this.has(permits)) return false;
    this.take(permits);
    return true;
  }

  /** Whether `tryTake` would succeed. */
  has(permits: number): boolean {
    return this.#waiters.size === 0 && this.#bucket.has(permits, this.#nowMs());
  }

  /** Takes permits whether there are as many or not, ahead of everybody. */
  take(permits: number): void {
    this.#bucket.take(permits, this.#nowMs());
  }

  /** How long a newcomer would wait for one permit, milliseconds. */
  get retryAfterMs(): number {
    const nowMs = this.#nowMs();
    if (this.#waiters.size === 0) return this.#bucket.waitMs(1, nowMs);
    // Behind all others, each of which takes the whole of what it asked for.
    return ((this.#waitingPermits + 1 - this.#bucket.balance(nowMs)) / this.#perSecond) * 1_000;
  }

  /** Waits. */
  request(waiter: Waiter): void {
    if (this.tryTake(waiter.permits)) {
      waiter.granted();
      return;
    }
    this.#waiters.add(waiter);
    this.#waitingPermits += waiter.permits;
    if (this.#waiters.size === 1) this.#arm(waiter);
  }

  /** Waits no longer. Does nothing for one that does not wait. */
  cancel(waiter: Waiter): void {
    if (!this.#waiters.delete(waiter)) return;
    this.#waitingPermits -= waiter.permits;
    this.#armForFirst();
  }

  #serve(): void {
    const nowMs = this.#nowMs();
    this.#bucket.catchUp(nowMs, LATENESS_MS);
    try {
      for (const waiter of this.#waiters) {
        if (!this.#bucket.has(waiter.permits, nowMs)) break;
        this.#bucket.take(waiter.permits, nowMs);
        this.#waiters.delete(waiter);
        this.#waitingPermits -= waiter.permits;
        waiter.granted();
      }
    } finally {
      this.#armForFirst();
    }
  }

  #armForFirst(): void {
    for (const first of this.#waiters) {
      this.#arm(first);
      return;
    }
    this.#wheel.cancel(this.#timer);
  }

  #arm(first: Waiter): void {
    const nowMs = this.#nowMs();
    this.#wheel.schedule(this.#timer, nowMs, this.#bucket.waitMs(first.permits, nowMs));
  }
}
