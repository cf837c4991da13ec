/** Why an endpoint has no connection: one typed reason for every end and every failed attempt. */

import type { RingwireError } from "../errors.ts";
import type { CloseInfo } from "../websocket/handlers.ts";

/**
 * Who or what ended it.
 *
 * - `connect`: the attempt failed: no address, refused, timed out, TLS, a refused handshake. `error.code` says which.
 * - `closed`: the peer closed; `close` has its code and reason.
 * - `broken`: the network broke, or the peer broke a rule or a deadline; see `error.code`.
 * - `heartbeat`: pings or application heartbeats went unanswered.
 * - `stale`: no message came for `staleMs`.
 * - `ttl`: `ttlMs` was over.
 * - `handler`: a handler threw; `error.cause` is what it threw.
 * - `local`: the program closed the socket itself, or its loop.
 * - `removed`: `service.remove` or `service.close`. The last one an endpoint has.
 */
export type DisconnectKind =
  | "connect"
  | "closed"
  | "broken"
  | "heartbeat"
  | "stale"
  | "ttl"
  | "handler"
  | "local"
  | "removed";

/** Why an endpoint lost its connection, or did not get one. */
export interface DisconnectReason {
  /** Who or what ended it. */
  readonly kind: DisconnectKind;
  /** The failure, if it was one. What `url` has thrown is the `cause` of an `ERR_HANDLER`. */
  readonly error: RingwireError | undefined;
  /** How the WebSocket closed; undefined when it was not open. */
  readonly close: CloseInfo | undefined;
  /** How long it was open, milliseconds; 0 when it was not. */
  readonly openMs: number;
  /** Where it went to, without user and password; "" when `url` had not said. */
  readonly url: string;
}

/** What of an ended session tells why it ended. */
export interface EndedSession {
  readonly isClosedByUs: boolean;
  readonly failure: RingwireError | undefined;
  readonly closeInfo: CloseInfo | undefined;
}

/** The kind of an end that the endpoint has not brought about itself. */
export function kindOfEnd(session: EndedSession): DisconnectKind {
  switch (session.failure?.code) {
    case "ERR_HANDLER":
      return "handler";
    case "ERR_PONG_TIMEOUT":
    case "ERR_IDLE_TIMEOUT":
      return "heartbeat";
    default:
      if (session.isClosedByUs) return "local";
      if (session.failure !== undefined) return "broken";
      // Neither side's doing: the program has closed the loop under it.
      return session.closeInfo?.wasClean === true ? "closed" : "local";
  }
}
