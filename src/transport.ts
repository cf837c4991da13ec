/**
 * The seam between moving bytes and speaking protocols. Everything above it works alike over
 * io_uring and over a runtime's own sockets; everything below knows no protocol.
 *
 * The contract, which `test/transport/` checks for every runtime and transport:
 *
 * - All calls and callbacks happen on one thread. No callback runs inside a call that a handler makes
 *   (`commit`, `close` … return first); the exception is `Transport.poll`.
 * - `received` gives a view that is valid until it returns. Its bytes may be overwritten by the handler (unmasking in place).
 * - What is committed to one connection leaves in order: in a handler at the end of the turn, or of the loop's round
 *   where others have something, too; elsewhere in the next microtask. A commit never fails: trouble shows as `closed`.
 * - `closed` is the last callback of a connection and comes exactly once, also after `close()` and
 *   `abort()`, and always asynchronously. Calls on a closed connection do nothing.
 * - A handler that throws is a bug of the layer above: the transport lets the error reach the runtime's
 *   uncaught-error handling on a later task and goes on with the other connections.
 */

import type { RingwireError } from "./errors.ts";
import type { Codec } from "./protocol/codec.ts";
import type { Kernels } from "./protocol/kernels.ts";
import type { ClientTlsSettings, ServerTlsSettings, TlsInfo } from "./tls.ts";

/** Where an endpoint is: a host and port, or a Unix socket. */
export interface Address {
  /** IP literal (`127.0.0.1`, `::1`), or the path of a Unix socket. */
  readonly host: string;
  /** TCP port, 1 to 65,535; 0 for a Unix socket. */
  readonly port: number;
  /** Of the host. */
  readonly family: "ipv4" | "ipv6" | "unix";
}

/** Options of one socket, for both ends. Undefined leaves the system's own choice. */
export interface SocketOptions {
  /** TCP_NODELAY. @default true */
  readonly noDelay?: boolean;
  /** TCP_QUICKACK. io_uring transport only. */
  readonly quickAck?: boolean;
  /** SO_KEEPALIVE, first probe after this many milliseconds of silence; 0 = off. @default 0 */
  readonly keepAliveMs?: number;
  /** How long waits poll the network cards, microseconds; the longest of a loop counts. io_uring transport only. */
  readonly busyPollUs?: number;
  /** SO_SNDBUF in bytes. io_uring transport only. */
  readonly sendBufferBytes?: number;
  /** SO_RCVBUF in bytes. io_uring transport only. */
  readonly receiveBufferBytes?: number;
}

export interface ListenEndpoint extends SocketOptions {
  readonly address: Address;
  /** Pending connections the kernel holds. @default 1024 */
  readonly backlog?: number;
  /** SO_REUSEPORT. @default false */
  readonly reusePort?: boolean;
  /** IPV6_V6ONLY. @default false */
  readonly ipv6Only?: boolean;
  /** Speaks TLS. A connection is `accepted` after its handshake; one that fails is told to `failed`. */
  readonly tls?: ServerTlsSettings;
}

export interface ConnectEndpoint extends SocketOptions {
  readonly address: Address;
  /** Local IP literal to bind before connecting. */
  readonly localAddress?: string;
  /** SO_BINDTODEVICE. io_uring transport only. */
  readonly interface?: string;
  /** Speaks TLS. `opened` comes after the handshake. */
  readonly tls?: ClientTlsSettings;
}

/** What a connection tells the layer above. One object per connection. */
export interface ConnectionHandler {
  /** A connect has succeeded. Not called for accepted connections. */
  opened(): void;
  /** Bytes arrived: `bytes[start, end)`, a view that dies when this returns. */
  received(bytes: Uint8Array, start: number, end: number): void;
  /** The peer will send nothing more (FIN; TLS: close_notify). The sending direction still works. */
  ended(): void;
  /** `queuedBytes` has become smaller. */
  drained(): void;
  /** The connection is gone. Undefined: it was closed in order, by either side. */
  closed(error: RingwireError | undefined): void;
}

/** Handles connections that nobody has: not yet, or because `accepted` threw. */
export const NOBODY: ConnectionHandler = {
  opened() {},
  received() {},
  ended() {},
  drained() {},
  closed() {},
};

/** One connected socket. */
export interface Connection {
  /** Who gets the callbacks. May be replaced at any time (an HTTP session gives way to a WebSocket session). */
  handler: ConnectionHandler;
  /** Committed bytes that the kernel has not taken yet, as far as is known: exact after each turn. */
  readonly queuedBytes: number;
  /** Where `reserve` gives room. May be another array after each `reserve`. */
  readonly out: Uint8Array;
  /** When the kernel received the last bytes handed over, monotonic nanoseconds of the runtime's clock; 0 or undefined where it does not say. */
  readonly receivedNs?: number;
  /** The largest `sizeBytes` that `reserve` takes; at least 65,536. */
  readonly maxReserveBytes: number;
  /**
   * Makes `sizeBytes` of contiguous room in `out` and returns its first index. The next call on any
   * connection of this transport ends the reservation. May send what other handlers committed before.
   */
  reserve(sizeBytes: number): number;
  /**
   * Fills `out[at …)`, inside the reservation, with `out[start, end)` XORed with a key (see `Kernels.unmask`), at the latest before it is sent: at most
   * once per `reserve`. The source must stay as it is until then, but for `Kernels.unmask`, which knows. Undefined where bytes that were received never lie in `out`, or where
   * somebody looks at what is committed.
   */
  forward?(start: number, end: number, at: number, key: number): void;
  /** Sends `out[reserved index, end)`. Once per `reserve`; `end` may be smaller than was reserved. */
  commit(end: number): void;
  /** Stops receiving, so that the peer is slowed down by TCP. Bytes already in hand may still be delivered. */
  pause(): void;
  /** Goes on receiving. */
  resume(): void;
  /** Half-close: FIN after everything committed has left. */
  end(): void;
  /** Sends what is queued, then closes both directions. The caller sets a deadline and calls `abort` past it. */
  close(): void;
  /** Closes at once (RST), dropping what is queued. */
  abort(): void;
  /** The peer's address from TCP's connection on, which with TLS comes before `opened`; undefined when the socket is gone. */
  remoteAddress(): Address | undefined;
  /** Our own address, or undefined when the socket is gone. */
  localAddress(): Address | undefined;
  /** What TLS has agreed on; undefined without TLS, before `opened`, and when the socket is gone. */
  tls(): TlsInfo | undefined;
}

/** What a listener tells the layer above. */
export interface ListenerHandler {
  /** A peer has connected. Returns the handler of the new connection; may close or abort it at once. */
  accepted(connection: Connection): ConnectionHandler;
  /** Accepting failed (out of file descriptors, a TLS handshake …). The listener goes on by itself. */
  failed(error: RingwireError): void;
}

/** A listening socket. */
export interface Listener {
  readonly address: Address;
  /** Stops accepting, at once. Connections live on, TLS handshakes under way are given up. Idempotent. */
  close(): void;
  /** Other certificates and settings for handshakes from now on. @throws TypeError without TLS, and for certificates that do not fit. */
  updateTls(settings: ServerTlsSettings): void;
}

/** Counters of a transport since it was opened. */
export interface TransportStats {
  /** Connections open now. */
  readonly connections: number;
  /** Turns taken. */
  readonly turns: number;
  /** System calls made by the shim; 0 where it cannot be known. */
  readonly enters: number;
  /** Sends that the system did not take whole at once. */
  readonly shortSends: number;
  /** Receives that had to wait because the receive arena was full. */
  readonly noBuffers: number;
  /** Times that the loop went to sleep in the kernel's hands. */
  readonly parks: number;
  /** TLS handshakes done, on either side. */
  readonly handshakes: number;
  /** Those of them that resumed an earlier session, as far as the runtime tells. */
  readonly resumptions: number;
}

/** How connections come into being. One per loop. */
export interface Transport {
  readonly kind: "uring" | "native" | "replay";
  /** Why this one, or what it found: `kernel 6.18, multishot, incremental buffers`. */
  readonly reason: string;
  readonly kernels: Kernels;
  /** What compresses and restores messages: zlib in the shim where there is one, else the runtime's. Opened when first asked for. */
  readonly codec: Codec;
  /** Whether it can be driven by `poll` (else the runtime's event loop drives it). */
  readonly canPoll: boolean;
  /** Starts listening. Rejects with RingwireError when the system refuses (address in use …). A promise because Node's `net` binds later. */
  listen(endpoint: ListenEndpoint, handler: ListenerHandler): Promise<Listener>;
  /** Starts connecting. The outcome is `opened` or `closed(error)`. @throws RingwireError when the system refuses at once. */
  connect(endpoint: ConnectEndpoint, handler: ConnectionHandler): Connection;
  /** Sends what is committed now instead of at the end of the turn. */
  flush(): void;
  /** The process ends, and no turn comes any more: hands over what was sent, and from now on all that is sent at once. Calls no handler. */
  exit(): void;
  /**
   * One turn: sends, receives, calls handlers. Returns the number of events handled.
   *
   * @param waitUs - 0: never blocks. Above: blocks the thread for at most that long while nothing happens.
   */
  poll(waitUs: number): number;
  stats(): TransportStats;
  /** Aborts everything and releases the system's resources. Every connection gets `closed` before this returns. Idempotent. */
  close(): void;
}

/** How a transport that can poll is driven; see `Loop`. */
export interface DriveOptions {
  /** `auto`, `spin`: by the runtime's event loop. `manual`: only by `poll`. */
  readonly drive: "auto" | "spin" | "manual";
  /** Busy time after the last event, microseconds, for `spin`. */
  readonly spinUs: number;
}

/** Limits of a transport. Every one is an option of `Loop`. */
export interface TransportLimits {
  /** Connections and listeners at once. */
  readonly maxConnections: number;
  /** Receive arena in bytes. */
  readonly receiveArenaBytes: number;
  /** Send arena in bytes. */
  readonly sendArenaBytes: number;
  /** Queued bytes per connection beyond which it is aborted (`ERR_BACKPRESSURE`): a backstop; sessions stop well before it. */
  readonly maxQueuedBytes: number;
  /** Queued bytes over all connections. */
  readonly maxQueuedTotalBytes: number;
  /** io_uring submission entries, a power of two. */
  readonly submissionEntries: number;
}
