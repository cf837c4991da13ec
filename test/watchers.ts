/** Who waits until something holds that changes now and then. */
export class Watchers {
  readonly #describe: () => string;
  #wakes: (() => void)[] = [];

  /** @param describe - What there is instead, for the error. */
  constructor(describe: () => string) {
    this.#describe = describe;
  }

  /** Something has changed. */
  wake(): void {
    for (const wake of this.#wakes.splice(0)) wake();
  }

  /** Waits until a condition holds; looked at after each change. @throws Error after `timeoutMs`. */
  async until(what: string, condition: () => boolean, timeoutMs: number): Promise<void> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.wake();
    }, timeoutMs);
    while (!condition()) {
      if (isLate) throw new Error(`Waited ${timeoutMs} ms in vain until ${what}; ${this.#describe()}`);
      await new Promise<void>((resolve) => this.#wakes.push(resolve));
    }
    clearTimeout(timer);
  }
}
