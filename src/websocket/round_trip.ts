/**
 * How long the peer of a socket takes to answer a ping. Only the latest counts: a peer may leave earlier ones unanswered (RFC 6455 §5.5.3), and a
 * pong that answers none is a heartbeat of its own.
 */

/** See the top of this file. */
export class RoundTrip {
  /** The last answer's time, milliseconds; undefined before the first. */
  lastMs: number | undefined = undefined;
  /** Of the ping that waits for its answer. */
  #payload: Uint8Array | undefined = undefined;
  #sentMs = 0;

  /** A ping was sent. */
  pinged(payload: Uint8Array, nowMs: number): void {
    this.#payload = payload.slice();
    this.#sentMs = nowMs;
  }

  /** A pong came. Returns how long that took, milliseconds; undefined when it answers no ping that waits. */
  answered(payload: Uint8Array, nowMs: number): number | undefined {
    const expected = this.#payload;
    if (expected === undefined || !isSame(expected, payload)) return undefined;
    this.#payload = undefined;
    this.lastMs = nowMs - this.#sentMs;
    return this.lastMs;
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
