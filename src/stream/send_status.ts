/** What becomes of what a program sends, on streams and WebSockets alike. */

/**
 * What became of a message given to `send`, or bytes to `write`. `sent`: it leaves with this turn, or with this round of the loop. `queued`:
 * it will be sent, but the peer is slow: wait for `drain` before sending more. `dropped`: it was not taken, because the connection is not
 * open or its queue is full.
 */
export type SendStatus = "sent" | "queued" | "dropped";
