/** The runtime's end of the wake-up socket where it takes a while to connect: what is asked of it meanwhile is done then. */

import type { WakeSocket } from "./runtime.ts";

/** As much as all runtimes' connections have. */
interface Connection {
  ref(): void;
  unref(): void;
}

/** See the top of this file. */
export class WakeConnection<Kind extends Connection> implements WakeSocket {
  readonly #end: (connection: Kind) => void;
  readonly #failed: (error: unknown) => void;
  #connection: Kind | undefined = undefined;
  #isAlive = false;
  #isClosed = false;

  /**
   * @param end - Closes a connection.
   * @param failed - Told what went wrong, unless it was closed before.
   */
  constructor(end: (connection: Kind) => void, failed: (error: unknown) => void) {
    this.#end = end;
    this.#failed = failed;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The connection stands. Returns false when nobody wants it any more. */
  connected(connection: Kind): boolean {
    if (this.#isClosed) {
      this.#end(connection);
      return false;
    }
    this.#connection = connection;
    if (!this.#isAlive) connection.unref();
    return true;
  }

  fail(error: unknown): void {
    if (!this.#isClosed) this.#failed(error);
  }

  setAlive(alive: boolean): void {
    this.#isAlive = alive;
    if (alive) this.#connection?.ref();
    else this.#connection?.unref();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#connection !== undefined) this.#end(this.#connection);
    this.#connection = undefined;
  }
}
