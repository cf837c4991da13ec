/**
 * Memory that long messages are put together in again and again, for those who do not keep them: fresh memory costs a message of
 * 1 MiB its zeroing, up to 250 page faults, and a copy each time that it grows.
 */

import type { MessageMemory } from "./protocol/message_buffer.ts";
import { Timer, type TimerWheel } from "./timer_wheel.ts";

/** So much is kept for the next messages, by a loop. */
const MAX_SPARE_BYTES = 4 << 20;
/** A buffer may be so many times larger than asked for: memory that a peer holds stays in proportion to what it has sent. */
const MAX_SLACK = 4;
/** What nobody has used for so long is let go, milliseconds: at the latest after twice that. */
const IDLE_MS = 1_000;

/** The spare buffers of one loop. */
export class SpareMemory extends Timer implements MessageMemory {
  readonly #wheel: TimerWheel;
  readonly #nowMs: () => number;
  /** Those that came back last stand last: they are in the cache. */
  readonly #buffers: Uint8Array[] = [];
  #spareBytes = 0;
  /** Since its timer was set. */
  #isUsed = false;

  constructor(wheel: TimerWheel, nowMs: () => number) {
    super();
    this.#wheel = wheel;
    this.#nowMs = nowMs;
  }

  /** What is kept, in bytes. */
  get spareBytes(): number {
    return this.#spareBytes;
  }

  take(bytes: number): Uint8Array {
    const buffers = this.#buffers;
    for (let index = buffers.length - 1; index >= 0; index--) {
      const { length } = buffers[index];
      if (length < bytes || length > bytes * MAX_SLACK) continue;
      this.#spareBytes -= length;
      return buffers.splice(index, 1)[0];
    }
    return new Uint8Array(bytes);
  }

  give(buffer: Uint8Array): void {
    const buffers = this.#buffers;
    // No length: a program has given the memory of a view away.
    if (buffer.length === 0 || buffer.length > MAX_SPARE_BYTES) return;
    buffers.push(buffer);
    this.#spareBytes += buffer.length;
    while (this.#spareBytes > MAX_SPARE_BYTES) this.#spareBytes -= buffers.shift()!.length;
    this.#isUsed = true;
    if (this.dueTick < 0) this.#wait();
  }

  expired(): void {
    if (this.#isUsed) this.#wait();
    else this.abandoned();
  }

  override abandoned(): void {
    this.#buffers.length = 0;
    this.#spareBytes = 0;
  }

  #wait(): void {
    this.#isUsed = false;
    this.#wheel.schedule(this, this.#nowMs(), IDLE_MS);
  }
}
