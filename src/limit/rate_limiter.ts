/** A limit on how fast something may be done, for programs and, shared, for sockets. */

import { RingwireError } from "../errors.ts";
import { type Engine, engineOf, loopOf } from "../loop.ts";
import { checkKnown, checkSignal, readNumbers, type WithLoop } from "../options.ts";
import { CallbackTimer } from "../timer_wheel.ts";
import { PermitQueue, type RateTerms, type Waiter } from "./permit_queue.ts";

/** So many permits a second. */
export interface RateOptions {
  /** Permits that come per second; fractions are fine. Above 0, to 1,000,000,000. */
  readonly perSecond: number;
  /** Permits that can be saved up, and so be used at once. 1 to 1,000,000,000. @default what one second brings, at least 1 */
  readonly burst?: number;
}

/** Options of {@linkcode RateLimiter}. */
export interface RateLimiterOptions extends RateOptions, WithLoop {
  /** How many may wait in `take` at once; more are refused with `ERR_RATE_LIMITED`. 0 to 1,048,576. @default 1,024 */
  readonly maxWaiting?: number;
}

/** Options of {@linkcode RateLimiter.take}. */
export interface TakeOptions {
  /** Gives up waiting when it aborts. */
  readonly signal?: AbortSignal;
  /** Gives up waiting after so many milliseconds. @default waits as long as it takes */
  readonly timeoutMs?: number;
}

const LARGEST = 1_000_000_000;
const LONGEST_MS = 2_147_483_647;
const RATE_OPTION_NAMES: readonly string[] = ["perSecond", "burst"];
const PERMITS = { default: 1, min: 1, max: LARGEST } as const;

/** What becomes of a number or options. @throws TypeError, RangeError for what is unknown or out of range. */
export function readRate(
  where: string,
  given: number | RateOptions,
  otherNames: readonly string[] = [],
): RateTerms {
  const options = typeof given === "number" ? { perSecond: given } : given;
  checkKnown(where, options, [...RATE_OPTION_NAMES, ...otherNames]);
  const { perSecond } = options;
  if (typeof perSecond !== "number") {
    throw new TypeError(`Option "perSecond" of ${where} must be a number, not ${typeof perSecond}`);
  }
  if (!(perSecond > 0 && perSecond <= LARGEST)) {
    throw new RangeError(`Option "perSecond" of ${where} must be above 0, to ${LARGEST}, not ${perSecond}`);
  }
  const burst = { default: Math.max(1, Math.ceil(perSecond)), min: 1, max: LARGEST };
  return { perSecond, ...readNumbers(where, options, { burst }) };
}

let queueOf: (limiter: RateLimiter) => PermitQueue;

/**
 * A token bucket that can be waited for, first come, first served. Use it for operations of your own, or give one object to many sockets as
 * `receiveLimit` or `sendLimit`: then it limits all of them together.
 *
 * More permits than the burst are granted when the bucket is full, and paid off before anybody gets the next ones.
 *
 * @example
 * ```ts
 * import { RateLimiter } from "ringwire/limit";
 *
 * const orders = new RateLimiter({ perSecond: 10, burst: 5 });
 * await orders.take();
 * console.log(orders.tryTake(4), orders.tryTake(), orders.retryAfterMs > 0); // true false true
 * ```
 */
export class RateLimiter {
  readonly #engine: Engine;
  readonly #queue: PermitQueue;
  readonly #maxWaiting: number;

  static {
    queueOf = (limiter: RateLimiter): PermitQueue => limiter.#queue;
  }

  /**
   * Begins with a full bucket.
   *
   * @throws TypeError, RangeError for unknown options and values out of range.
   */
  constructor(options: RateLimiterOptions) {
    const where = "RateLimiter";
    const terms = readRate(where, options, ["maxWaiting", "loop"]);
    const { maxWaiting } = readNumbers(where, options, {
      maxWaiting: { default: 1_024, min: 0, max: 1_048_576 },
    });
    this.#maxWaiting = maxWaiting;
    this.#engine = engineOf(loopOf(options.loop));
    const { wheel, runtime } = this.#engine;
    this.#queue = new PermitQueue(terms, wheel, () => runtime.nowMs());
  }

  /** Permits there are; below 0 after more were granted than the burst. */
  get available(): number {
    return this.#queue.balance;
  }

  /** How many wait in `take`, sockets among them. */
  get waiting(): number {
    return this.#queue.waiting;
  }

  /** How long a newcomer would wait for one permit, milliseconds; 0: not at all. */
  get retryAfterMs(): number {
    return this.#queue.retryAfterMs;
  }

  /**
   * Takes permits if there are as many now, and nobody waits for them.
   *
   * @param permits - 1 to 1,000,000,000. @default 1
   * @throws RangeError for another number.
   */
  tryTake(permits: number = 1): boolean {
    readNumbers("tryTake", { permits }, { permits: PERMITS });
    return this.#queue.tryTake(permits);
  }

  /**
   * Takes permits as soon as there are as many and everybody who came before has theirs.
   *
   * @param permits - 1 to 1,000,000,000. @default 1
   * @throws RingwireError `ERR_RATE_LIMITED`, with `retryAfterMs`, when too many wait or `timeoutMs` has passed; `ERR_ABORTED` by the signal;
   *   `ERR_NOT_OPEN` when its loop is closed and it would have to wait, or waits.
   * @throws TypeError, RangeError for unknown options and values out of range.
   */
  async take(permits: number = 1, options: TakeOptions = {}): Promise<void> {
    readNumbers("take", { permits }, { permits: PERMITS });
    checkKnown("take", options, ["signal", "timeoutMs"]);
    const { signal } = options;
    checkSignal("take", signal);
    const { timeoutMs } = readNumbers("take", options, {
      timeoutMs: { default: LONGEST_MS, min: 0, max: LONGEST_MS },
    });
    if (signal?.aborted === true) throw aborted(signal);
    if (this.#queue.tryTake(permits)) return;
    if (this.#queue.waiting >= this.#maxWaiting) {
      throw this.#limited(`${this.#maxWaiting} wait already (maxWaiting)`);
    }
    if (timeoutMs === 0) throw this.#limited("there are not enough now");
    if (this.#engine.isClosed()) throw loopIsClosed();
    await this.#wait(permits, timeoutMs, signal);
  }

  #wait(permits: number, timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    const { wheel, runtime, processRef } = this.#engine;
    return new Promise((resolve, reject) => {
      const over = (): void => {
        processRef.unref();
        wheel.cancel(deadline);
        signal?.removeEventListener("abort", abort);
      };
      const waiter: Waiter = {
        permits,
        granted: () => {
          over();
          resolve();
        },
      };
      const giveUp = (error: RingwireError): void => {
        over();
        this.#queue.cancel(waiter);
        reject(error);
      };
      const deadline = new CallbackTimer(
        () => giveUp(this.#limited(`not within ${timeoutMs} ms`)),
        () => giveUp(loopIsClosed()),
      );
      const abort = (): void => giveUp(aborted(signal as AbortSignal));
      processRef.ref();
      wheel.schedule(deadline, runtime.nowMs(), timeoutMs);
      signal?.addEventListener("abort", abort);
      this.#queue.request(waiter);
    });
  }

  #limited(why: string): RingwireError {
    const { retryAfterMs } = this;
    return new RingwireError("ERR_RATE_LIMITED", `Cannot take permits of a rate limiter: ${why}`, {
      retryAfterMs,
    });
  }
}

export { queueOf };

function loopIsClosed(): RingwireError {
  return new RingwireError("ERR_NOT_OPEN", "Cannot wait for permits: the loop that keeps the time is closed");
}

function aborted(signal: AbortSignal): RingwireError {
  return new RingwireError("ERR_ABORTED", "Waiting for permits of a rate limiter was aborted", {
    cause: signal.reason,
  });
}
