/** What of a peer's messages is let through at once, under `receiveLimit`: one socket's side of it. */

import type { PermitQueue, Waiter } from "../limit/permit_queue.ts";
import { openQueue, type ReadReceiveLimit, type WhenExceeded } from "../limit/rate.ts";
import type { Engine } from "../loop.ts";

/** One of the two things that are limited. */
interface Share {
  readonly queue: PermitQueue;
  readonly isBytes: boolean;
  /** Waits for the first permit of the next message. */
  waiter: Waiter | undefined;
  /** That permit was waited for and is there. */
  isPrepaid: boolean;
}

/** See the top of this file. */
export class ReceiveLimiter {
  readonly whenExceeded: WhenExceeded;
  readonly #shares: readonly Share[];
  readonly #ready: () => void;

  /** @param ready - With `pause`: what was waited for is there, the next message may come. */
  constructor(limit: ReadReceiveLimit, engine: Engine, ready: () => void) {
    this.whenExceeded = limit.whenExceeded;
    this.#ready = ready;
    this.#shares = [
      ...sharesOf(openQueue(limit.messages, engine), false),
      ...sharesOf(openQueue(limit.bytes, engine), true),
    ];
  }

  /** Whether a message may be delivered. With `pause` every one may; whether the next has to wait is told by `mustWait`. */
  admits(sizeBytes: number): boolean {
    if (this.whenExceeded !== "pause") {
      // All or none: a message that is refused must not cost the other limit anything.
      for (const { queue, isBytes } of this.#shares) if (!queue.has(isBytes ? sizeBytes : 1)) return false;
    }
    for (const share of this.#shares) {
      const permits = share.isBytes ? sizeBytes : 1;
      share.queue.take(share.isPrepaid ? permits - 1 : permits);
      share.isPrepaid = false;
    }
    return true;
  }

  /** With `pause`: whether the next message has to wait. Then `ready` comes. */
  mustWait(): boolean {
    if (this.whenExceeded !== "pause") return false;
    for (const share of this.#shares) {
      if (share.waiter !== undefined || share.isPrepaid || share.queue.has(1)) continue;
      share.waiter = { permits: 1, granted: () => this.#granted(share) };
      share.queue.request(share.waiter);
    }
    return this.#isWaiting;
  }

  /** Waits no longer. */
  close(): void {
    for (const share of this.#shares) {
      if (share.waiter !== undefined) share.queue.cancel(share.waiter);
      share.waiter = undefined;
    }
  }

  get #isWaiting(): boolean {
    return this.#shares.some(({ waiter }) => waiter !== undefined);
  }

  #granted(share: Share): void {
    share.waiter = undefined;
    share.isPrepaid = true;
    if (!this.#isWaiting) this.#ready();
  }
}

function sharesOf(queue: PermitQueue | undefined, isBytes: boolean): Share[] {
  return queue === undefined ? [] : [{ queue, isBytes, waiter: undefined, isPrepaid: false }];
}
