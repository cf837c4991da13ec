/**
 * The seam between moving bytes and speaking protocols. Everything above it works alike over
 * io_uring and over a runtime's own sockets; everything below knows no protocol.
 *
 * The contract, which `test/transport/` checks for every runtime and transport:
 *
 * - All calls and callbacks happen on one thread. No callback runs inside a call that a handler makes
 *   (`commit`, `close` … return first); the exception is `Transport.poll`.
 * - `received` gives a view that is valid until it returns. Its bytes may be overwritten by the handler (unmasking in place).
 * - What is committed to one connection leaves in order, at the end of the current turn or in the next
 *   microtask. A commit never fails: trouble shows as `closed`.
 * - `closed` is the last callback of a connection and comes exactly once, also after `close()` and
 *   `abort()`, and always asynchronously. Calls on a closed connection do nothing.
 * - A handler that throws is a bug of the layer above: the transport lets the error reach the runtime's
 *   uncaught-error handling on a later task and goes on with the other connections.
 */
export {};
