/** Whether a loop keeps its process alive for somebody who waits, without a socket, for what only time brings. */

/** Counts who waits: as with Node's `ref` and `unref`, but of any number. */
export class ProcessRef {
  readonly #stayAlive: () => () => void;
  #count = 0;
  #letEnd: (() => void) | undefined = undefined;
  #isClosed = false;

  /** @param stayAlive - Keeps the process alive until the returned function is called. */
  constructor(stayAlive: () => () => void) {
    this.#stayAlive = stayAlive;
  }

  /** One more waits. */
  ref(): void {
    this.#count++;
    if (!this.#isClosed) this.#letEnd ??= this.#stayAlive();
  }

  /** One fewer. */
  unref(): void {
    this.#count--;
    if (this.#count === 0) this.#release();
  }

  /** Nothing will come any more, whoever still waits for it. */
  close(): void {
    this.#isClosed = true;
    this.#release();
  }

  #release(): void {
    this.#letEnd?.();
    this.#letEnd = undefined;
  }
}
