/** Messages that wait because they would leave faster than `sendLimit` allows: one socket's side of it, in order. */

import type { PermitQueue, Waiter } from "../limit/permit_queue.ts";
import { openQueue, type ReadRates } from "../limit/rate.ts";
import type { Engine } from "../loop.ts";
import { MAX_HEADER_BYTES } from "../protocol/frame_encoder.ts";

/** A message that waits: a copy of what the program gave. */
export interface HeldMessage {
  readonly opcode: number;
  readonly bytes: Uint8Array;
}

/** See the top of this file. */
export class Pacer {
  readonly #messages: PermitQueue | undefined;
  readonly #bytes: PermitQueue | undefined;
  #send: (message: HeldMessage) => void = () => undefined;
  /** Those from `#first` on wait. */
  #held: HeldMessage[] = [];
  #first = 0;
  #heldBytes = 0;
  /** What the oldest one waits for. */
  #waiter: { readonly queue: PermitQueue; readonly waiter: Waiter } | undefined = undefined;

  constructor(rates: ReadRates, engine: Engine) {
    this.#messages = openQueue(rates.messages, engine);
    this.#bytes = openQueue(rates.bytes, engine);
  }

  /** Says what sends a message whose time has come. */
  start(send: (message: HeldMessage) => void): void {
    this.#send = send;
  }

  /** Bytes that wait, as frames of them would count. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Whether a message may leave now; then it is counted as sent. */
  takes(sizeBytes: number): boolean {
    if (this.#isHolding) return false;
    return this.#tryTake(sizeBytes);
  }

  /** Keeps a message until its time has come. */
  hold(message: HeldMessage): void {
    this.#held.push(message);
    this.#heldBytes += frameBytes(message);
    if (this.#held.length - this.#first === 1) this.#await();
  }

  /** Counts a control frame, which never waits. */
  charge(): void {
    this.#messages?.take(1);
  }

  /** Waits for nothing any more. Returns what was held, oldest first. */
  release(): readonly HeldMessage[] {
    if (this.#waiter !== undefined) this.#waiter.queue.cancel(this.#waiter.waiter);
    this.#waiter = undefined;
    const held = this.#held.slice(this.#first);
    this.#held = [];
    this.#first = 0;
    this.#heldBytes = 0;
    return held;
  }

  get #isHolding(): boolean {
    return this.#first < this.#held.length;
  }

  /** Both or none. */
  #tryTake(sizeBytes: number): boolean {
    if (this.#messages?.has(1) === false || this.#bytes?.has(sizeBytes) === false) return false;
    this.#messages?.take(1);
    this.#bytes?.take(sizeBytes);
    return true;
  }

  /** Has the oldest message wait for its permits, of one kind after the other. */
  #await(): void {
    this.#request(this.#messages, 1, () =>
      this.#request(this.#bytes, this.#oldest.bytes.length, () => this.#granted()),
    );
  }

  #request(queue: PermitQueue | undefined, permits: number, then: () => void): void {
    if (queue === undefined) {
      then();
      return;
    }
    const granted = (): void => {
      this.#waiter = undefined;
      then();
    };
    const waiter = { permits, granted };
    this.#waiter = { queue, waiter };
    queue.request(waiter);
  }

  get #oldest(): HeldMessage {
    return this.#held[this.#first];
  }

  /** The oldest one's time has come; perhaps that of others too. */
  #granted(): void {
    do this.#sendOldest();
    while (this.#isHolding && this.#tryTake(this.#oldest.bytes.length));
    if (this.#isHolding) this.#await();
  }

  #sendOldest(): void {
    const message = this.#oldest;
    this.#first++;
    if (!this.#isHolding) {
      this.#held = [];
      this.#first = 0;
    }
    this.#heldBytes -= frameBytes(message);
    this.#send(message);
  }
}

function frameBytes({ bytes }: HeldMessage): number {
  return bytes.length + MAX_HEADER_BYTES;
}
