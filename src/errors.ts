/**
 * Every error Ringwire raises for a peer, a network or a system failure. Wrong arguments throw the
 * built-in `TypeError` and `RangeError` instead, at once.
 *
 * @module
 */

/** A stable name for one kind of failure, for `switch` and for logs. What each means and what to do: ERRORS.md. */
export type ErrorCode =
  | "ERR_CONNECTION_REFUSED"
  | "ERR_CONNECTION_RESET"
  | "ERR_CONNECTION_CLOSED"
  | "ERR_CONNECTION_TIMEOUT"
  | "ERR_HOST_UNREACHABLE"
  | "ERR_HOST_NOT_FOUND"
  | "ERR_ADDRESS_IN_USE"
  | "ERR_ADDRESS_NOT_AVAILABLE"
  | "ERR_PERMISSION_DENIED"
  | "ERR_TOO_MANY_FILES"
  | "ERR_TOO_MANY_CONNECTIONS"
  | "ERR_OUT_OF_MEMORY"
  | "ERR_SYSTEM"
  | "ERR_ABORTED"
  | "ERR_TLS_CERTIFICATE_EXPIRED"
  | "ERR_TLS_CERTIFICATE_NOT_YET_VALID"
  | "ERR_TLS_SELF_SIGNED"
  | "ERR_TLS_UNKNOWN_ISSUER"
  | "ERR_TLS_HOST_MISMATCH"
  | "ERR_TLS_CERTIFICATE"
  | "ERR_TLS_PIN_MISMATCH"
  | "ERR_TLS_NO_CERTIFICATE"
  | "ERR_TLS_VERSION"
  | "ERR_TLS_CIPHER"
  | "ERR_TLS_ALPN"
  | "ERR_TLS_ALERT"
  | "ERR_TLS_NOT_TLS"
  | "ERR_TLS_PROTOCOL"
  | "ERR_TLS_TRUNCATED"
  | "ERR_TLS_TIMEOUT"
  | "ERR_TLS_KEY_UPDATE"
  | "ERR_HANDSHAKE_TIMEOUT"
  | "ERR_HANDSHAKE_FAILED"
  | "ERR_HANDSHAKE_REFUSED"
  | "ERR_HEADERS_TOO_LARGE"
  | "ERR_BAD_REQUEST"
  | "ERR_PROTOCOL"
  | "ERR_INVALID_UTF8"
  | "ERR_INVALID_DEFLATE"
  | "ERR_INVALID_MESSAGE"
  | "ERR_MESSAGE_TOO_LARGE"
  | "ERR_TOO_MANY_FRAGMENTS"
  | "ERR_MESSAGE_TIMEOUT"
  | "ERR_PONG_TIMEOUT"
  | "ERR_IDLE_TIMEOUT"
  | "ERR_CLOSE_TIMEOUT"
  | "ERR_BACKPRESSURE"
  | "ERR_RATE_LIMITED"
  | "ERR_HANDLER"
  | "ERR_NOT_OPEN"
  | "ERR_TRANSPORT_UNAVAILABLE"
  | "ERR_DRIVE_UNAVAILABLE"
  | "ERR_LIBRARY"
  | "ERR_RECORDING"
  | "ERR_ACQUIRE_TIMEOUT"
  | "ERR_UNSUPPORTED";

/** What a failure means for a program. A new code needs a line here and one in ERRORS.md, which a test compares. */
interface Kind {
  readonly isRetryable: boolean;
  readonly shouldReconnect: boolean;
}

/** The same call may succeed later. */
const TRANSIENT: Kind = { isRetryable: true, shouldReconnect: true };
/** The same call will not, but another connection may fare better. */
const RECONNECTABLE: Kind = { isRetryable: false, shouldReconnect: true };
/** Something has to be changed first. */
const PERMANENT: Kind = { isRetryable: false, shouldReconnect: false };

/** What each code means for a program: may the same call succeed later, and is reconnecting sensible? */
const KINDS: Readonly<Record<ErrorCode, Kind>> = {
  ERR_CONNECTION_REFUSED: TRANSIENT,
  ERR_CONNECTION_RESET: TRANSIENT,
  ERR_CONNECTION_CLOSED: TRANSIENT,
  ERR_CONNECTION_TIMEOUT: TRANSIENT,
  ERR_HOST_UNREACHABLE: TRANSIENT,
  ERR_HOST_NOT_FOUND: TRANSIENT,
  // Of a client these two say that the system has no local port left, or that a network interface is down for now.
  ERR_ADDRESS_IN_USE: TRANSIENT,
  ERR_ADDRESS_NOT_AVAILABLE: TRANSIENT,
  ERR_PERMISSION_DENIED: PERMANENT,
  ERR_TOO_MANY_FILES: TRANSIENT,
  ERR_TOO_MANY_CONNECTIONS: TRANSIENT,
  ERR_OUT_OF_MEMORY: TRANSIENT,
  ERR_SYSTEM: RECONNECTABLE,
  ERR_ABORTED: PERMANENT,
  ERR_TLS_CERTIFICATE_EXPIRED: RECONNECTABLE,
  ERR_TLS_CERTIFICATE_NOT_YET_VALID: RECONNECTABLE,
  ERR_TLS_SELF_SIGNED: PERMANENT,
  ERR_TLS_UNKNOWN_ISSUER: PERMANENT,
  ERR_TLS_HOST_MISMATCH: PERMANENT,
  ERR_TLS_CERTIFICATE: PERMANENT,
  ERR_TLS_PIN_MISMATCH: PERMANENT,
  ERR_TLS_NO_CERTIFICATE: PERMANENT,
  ERR_TLS_VERSION: PERMANENT,
  ERR_TLS_CIPHER: PERMANENT,
  ERR_TLS_ALPN: PERMANENT,
  ERR_TLS_ALERT: RECONNECTABLE,
  ERR_TLS_NOT_TLS: PERMANENT,
  ERR_TLS_PROTOCOL: RECONNECTABLE,
  ERR_TLS_TRUNCATED: TRANSIENT,
  ERR_TLS_TIMEOUT: TRANSIENT,
  ERR_TLS_KEY_UPDATE: TRANSIENT,
  ERR_HANDSHAKE_TIMEOUT: TRANSIENT,
  ERR_HANDSHAKE_FAILED: RECONNECTABLE,
  // Retryable with some statuses: see RETRYABLE_STATUSES.
  ERR_HANDSHAKE_REFUSED: RECONNECTABLE,
  ERR_HEADERS_TOO_LARGE: PERMANENT,
  ERR_BAD_REQUEST: PERMANENT,
  ERR_PROTOCOL: RECONNECTABLE,
  ERR_INVALID_UTF8: RECONNECTABLE,
  ERR_INVALID_DEFLATE: RECONNECTABLE,
  ERR_INVALID_MESSAGE: RECONNECTABLE,
  ERR_MESSAGE_TOO_LARGE: RECONNECTABLE,
  ERR_TOO_MANY_FRAGMENTS: RECONNECTABLE,
  ERR_MESSAGE_TIMEOUT: TRANSIENT,
  ERR_PONG_TIMEOUT: TRANSIENT,
  ERR_IDLE_TIMEOUT: TRANSIENT,
  ERR_CLOSE_TIMEOUT: TRANSIENT,
  ERR_BACKPRESSURE: TRANSIENT,
  ERR_RATE_LIMITED: TRANSIENT,
  // One message that a handler cannot take must not end a feed for ever.
  ERR_HANDLER: RECONNECTABLE,
  ERR_NOT_OPEN: RECONNECTABLE,
  ERR_TRANSPORT_UNAVAILABLE: PERMANENT,
  ERR_DRIVE_UNAVAILABLE: PERMANENT,
  ERR_LIBRARY: PERMANENT,
  ERR_RECORDING: PERMANENT,
  ERR_ACQUIRE_TIMEOUT: TRANSIENT,
  ERR_UNSUPPORTED: PERMANENT,
};

/** Statuses of a refused handshake that pass by themselves (RFC 9110 §15.5.9, §15.6; RFC 8470 §5.2; RFC 6585 §4). */
const RETRYABLE_STATUSES: readonly number[] = [408, 425, 429, 500, 502, 503, 504];

/** Facts that some errors carry beside their code. */
export interface ErrorDetails {
  /** What made this happen, when something did. */
  readonly cause?: unknown;
  /** The WebSocket close code sent or received with it (RFC 6455 §7.4). */
  readonly closeCode?: number;
  /** The HTTP status of a refused handshake. */
  readonly status?: number;
  /** How long to wait before trying again, milliseconds: what the server asked for, or a rate limiter. */
  readonly retryAfterMs?: number;
}

/**
 * A failure of the peer, the network or the system.
 *
 * @example
 * ```ts
 * import { connect, RingwireError } from "ringwire";
 *
 * try {
 *   await connect("ws://127.0.0.1:1");
 * } catch (error) {
 *   if (error instanceof RingwireError && error.isRetryable) console.log(error.code);
 * }
 * ```
 */
export class RingwireError extends Error {
  /** The stable code. */
  readonly code: ErrorCode;
  /** The WebSocket close code sent or received with it, where there is one. */
  readonly closeCode: number | undefined;
  /** The HTTP status of a refused handshake, where there is one. */
  readonly status: number | undefined;
  /** How long to wait before trying again, milliseconds, where the server (Retry-After in seconds) or a rate limiter has said so. */
  readonly retryAfterMs: number | undefined;

  /**
   * Makes an error; Ringwire does, programs need this only in their own tests.
   *
   * @param code - The stable code.
   * @param message - What was tried, then what went wrong.
   * @param details - Cause, close code, status and delay, where they exist.
   */
  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "RingwireError";
    this.code = code;
    this.closeCode = details.closeCode;
    this.status = details.status;
    this.retryAfterMs = details.retryAfterMs;
  }

  /** Whether the same call may succeed when it is made again later. */
  get isRetryable(): boolean {
    if (this.status !== undefined && RETRYABLE_STATUSES.includes(this.status)) return true;
    return KINDS[this.code].isRetryable;
  }

  /** Whether a client that lost its connection this way does well to connect again. */
  get shouldReconnect(): boolean {
    return KINDS[this.code].shouldReconnect;
  }
}

/** Every code, for documentation and tests. */
export const ERROR_CODES: readonly ErrorCode[] = Object.keys(KINDS) as ErrorCode[];

/** System error names as Node, Bun and Linux spell them, with the code we give them. */
const SYSTEM_CODES: Readonly<Record<string, ErrorCode>> = {
  ECONNREFUSED: "ERR_CONNECTION_REFUSED",
  ECONNRESET: "ERR_CONNECTION_RESET",
  ECONNABORTED: "ERR_CONNECTION_RESET",
  EPIPE: "ERR_CONNECTION_RESET",
  ETIMEDOUT: "ERR_CONNECTION_TIMEOUT",
  EHOSTUNREACH: "ERR_HOST_UNREACHABLE",
  ENETUNREACH: "ERR_HOST_UNREACHABLE",
  ENETDOWN: "ERR_HOST_UNREACHABLE",
  ENOTFOUND: "ERR_HOST_NOT_FOUND",
  EADDRINUSE: "ERR_ADDRESS_IN_USE",
  EADDRNOTAVAIL: "ERR_ADDRESS_NOT_AVAILABLE",
  EACCES: "ERR_PERMISSION_DENIED",
  EPERM: "ERR_PERMISSION_DENIED",
  EMFILE: "ERR_TOO_MANY_FILES",
  ENFILE: "ERR_TOO_MANY_FILES",
  ENOMEM: "ERR_OUT_OF_MEMORY",
  ENOBUFS: "ERR_BACKPRESSURE",
  ENOENT: "ERR_CONNECTION_REFUSED",
  ENOTDIR: "ERR_CONNECTION_REFUSED",
};

/** Sentences for the codes that a system call can give: what happened, then what to do. */
const SYSTEM_TEXTS: Readonly<Partial<Record<ErrorCode, string>>> = {
  ERR_CONNECTION_REFUSED: "nothing listens there; check the address, and that the server runs",
  ERR_CONNECTION_RESET: "the peer reset the connection",
  ERR_CONNECTION_TIMEOUT: "the peer did not answer in time",
  ERR_HOST_UNREACHABLE: "no route to that host; check the network",
  ERR_HOST_NOT_FOUND: "no such host; check the name",
  ERR_ADDRESS_IN_USE: "the address is in use; choose another (port 0: any that is free)",
  ERR_ADDRESS_NOT_AVAILABLE: "this machine does not have that address",
  ERR_PERMISSION_DENIED:
    "not permitted; ports below 1024, folders of others and some options need privileges",
  ERR_TOO_MANY_FILES: "out of file descriptors; raise the limit (ulimit -n)",
  ERR_OUT_OF_MEMORY: "out of memory",
  ERR_BACKPRESSURE: "the peer does not read and the send queue is full",
};

/**
 * Turns a system error name into an error of ours: `systemError("Cannot connect to 127.0.0.1:1", "ECONNREFUSED")`.
 *
 * @param action - What was tried, e.g. `Cannot listen on 127.0.0.1:80`.
 * @param name - The system's name for the error, e.g. `EADDRINUSE`.
 * @param cause - The runtime's own error object, if there is one.
 */
export function systemError(action: string, name: string, cause?: unknown): RingwireError {
  const code = Object.hasOwn(SYSTEM_CODES, name) ? SYSTEM_CODES[name] : "ERR_SYSTEM";
  const text = SYSTEM_TEXTS[code] ?? "the system refused";
  return new RingwireError(code, `${action}: ${text} (${name})`, { cause });
}

/** A Unix socket cannot be made where there is no folder for it: to connect, the same names of the system mean that nobody listens. */
export function noFolderError(action: string, name: string, cause?: unknown): RingwireError {
  return new RingwireError("ERR_ADDRESS_NOT_AVAILABLE", `${action}: there is no such folder (${name})`, {
    cause,
  });
}

/** What a wrong value is, for messages. */
export function kindOf(value: unknown): string {
  return value === null ? "null" : typeof value;
}
