/** A connection on loan from a pool. */

import { RingwireError } from "../errors.ts";
import type { Socket } from "../websocket/socket.ts";

/**
 * A socket of a pool, for its holder alone until it is returned: by `release`, `using` or `await using`, whichever comes first. Messages that were not
 * read before are the next holder's: read what you asked for, or `discard`.
 *
 * @example
 * ```ts
 * import { serve } from "ringwire";
 * import { Pool } from "ringwire/pool";
 *
 * const server = await serve({ port: 0, websocket: { message: (ws, data) => void ws.send(data) } });
 * const pool = new Pool();
 * async function ask(question: string): Promise<string> {
 *   using lease = await pool.acquire(server.url);
 *   lease.socket.send(question);
 *   for await (const answer of lease.socket) return answer.text();
 *   throw new Error("The server has closed");
 * }
 * console.log(await ask("six times seven?"));
 * await pool.close();
 * await server.stop();
 * ```
 */
export class Lease<Data = undefined> implements Disposable, AsyncDisposable {
  readonly #socket: Socket<Data>;
  #returned: ((isUsable: boolean) => void) | undefined;

  /** @internal Not for programs: leases come from `pool.acquire`. */
  constructor(socket: Socket<Data>, returned: (isUsable: boolean) => void) {
    this.#socket = socket;
    this.#returned = returned;
  }

  /**
   * The connection. It is open when the lease is given; like any other it may close.
   *
   * @throws RingwireError `ERR_NOT_OPEN` once it was returned: by then it may be another's.
   */
  get socket(): Socket<Data> {
    if (this.#returned === undefined) {
      throw new RingwireError("ERR_NOT_OPEN", "Cannot use a connection of a pool: its lease was returned");
    }
    return this.#socket;
  }

  /** Gives the connection back for others. Idempotent. */
  release(): void {
    this.#return(true);
  }

  /** Gives it back to be closed: for a connection in a state that nobody else could make sense of. */
  discard(): void {
    this.#return(false);
  }

  /** Same as {@linkcode Lease.release}. */
  [Symbol.dispose](): void {
    this.release();
  }

  /** Same as {@linkcode Lease.release}. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
  }

  #return(isUsable: boolean): void {
    const returned = this.#returned;
    this.#returned = undefined;
    returned?.(isUsable);
  }
}
