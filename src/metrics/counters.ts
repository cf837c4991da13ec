/**
 * The counters of one group of sockets: a server's, a service's, the clients' of a loop. Sockets add to plain numbers; everything
 * else happens when somebody asks.
 */

import type { ErrorCode, RingwireError } from "../errors.ts";
import { Histogram, type HistogramSnapshot } from "./histogram.ts";

/** What was counted since the start or the last `reset`. Plain data: keep it, subtract it, send it as JSON. */
export interface MetricsSnapshot {
  /** Milliseconds since the start or the last `reset`: for rates. */
  readonly elapsedMs: number;
  /** WebSockets open now. */
  readonly connections: number;
  /** Opening handshakes that succeeded. */
  readonly connectionsOpened: number;
  /** Those that did not: of clients for any reason, of servers requests that were refused and TLS that failed. */
  readonly connectionsFailed: number;
  /** WebSockets that are gone. */
  readonly connectionsClosed: number;
  /** Messages that arrived whole. */
  readonly messagesReceived: number;
  /** Messages that `send` took: it answered "sent" or "queued". */
  readonly messagesSent: number;
  /** Messages that `send` did not take because the queue was full. */
  readonly messagesDropped: number;
  /** Messages that arrived and went to nobody, because of `receiveLimit`. */
  readonly messagesShed: number;
  /** Bytes of frames that arrived, headers included. */
  readonly bytesReceived: number;
  /** Bytes of frames that were handed to the transport, headers included. */
  readonly bytesSent: number;
  /** How often `send` answered "queued" or refused because the peer is slow. */
  readonly backpressures: number;
  /** Failures by code, those of handshakes among them. */
  readonly errors: Readonly<Partial<Record<ErrorCode, number>>>;
  /** Of clients: from `connect` to the open WebSocket, milliseconds. */
  readonly openingMs: HistogramSnapshot;
  /** From a ping to its pong, milliseconds. */
  readonly roundTripMs: HistogramSnapshot;
}

/** What counts, for programs: `server.metrics`, `loop.metrics`. */
export interface Metrics {
  /** What was counted so far. */
  snapshot(): MetricsSnapshot;
  /** Starts again from zero, parts included. What is open stays counted as open. */
  reset(): void;
}

/** Everything that is a plain number. */
const COUNTED = [
  "connections",
  "connectionsOpened",
  "connectionsFailed",
  "connectionsClosed",
  "messagesReceived",
  "messagesSent",
  "messagesDropped",
  "messagesShed",
  "bytesReceived",
  "bytesSent",
  "backpressures",
] as const;

type Counted = (typeof COUNTED)[number];

/** {@link Metrics} from the inside. One group may be part of a larger one, which shows the sum. */
export class Counters implements Metrics {
  connections: number = 0;
  connectionsOpened: number = 0;
  connectionsFailed: number = 0;
  connectionsClosed: number = 0;
  messagesReceived: number = 0;
  messagesSent: number = 0;
  messagesDropped: number = 0;
  messagesShed: number = 0;
  bytesReceived: number = 0;
  bytesSent: number = 0;
  backpressures: number = 0;
  readonly #nowMs: () => number;
  readonly #whole: Counters | undefined;
  readonly #parts: Set<Counters> = new Set();
  readonly #errors: Map<ErrorCode, number> = new Map();
  /** 27 KiB each: not before there is something to record. */
  #openingMs: Histogram | undefined = undefined;
  #roundTripMs: Histogram | undefined = undefined;
  #sinceMs: number;

  /**
   * @param nowMs - The clock: monotonic milliseconds.
   * @param whole - Shows the sum; see `part`.
   */
  constructor(nowMs: () => number, whole?: Counters) {
    this.#nowMs = nowMs;
    this.#whole = whole;
    this.#sinceMs = nowMs();
  }

  /** A group of its own that this one includes, until it is left to it for good by `fold`. */
  part(): Counters {
    const part = new Counters(this.#nowMs, this);
    this.#parts.add(part);
    return part;
  }

  /** Ends a part: the whole keeps what it has counted. Idempotent. */
  fold(): void {
    const whole = this.#whole;
    if (whole === undefined || !whole.#parts.delete(this)) return;
    whole.#add(this);
  }

  /** Counts a failure. */
  failed(error: RingwireError): void {
    this.#errors.set(error.code, (this.#errors.get(error.code) ?? 0) + 1);
  }

  /** Counts a socket that has opened. */
  opened(): void {
    this.connections++;
    this.connectionsOpened++;
  }

  /** Counts how long a client took to open a socket. */
  took(openingMs: number): void {
    this.#openingMs ??= new Histogram();
    this.#openingMs.record(openingMs);
  }

  /** Counts a socket that is gone. */
  closed(): void {
    this.connections--;
    this.connectionsClosed++;
  }

  /** Counts a pong. */
  answered(roundTripMs: number): void {
    this.#roundTripMs ??= new Histogram();
    this.#roundTripMs.record(roundTripMs);
  }

  snapshot(): MetricsSnapshot {
    const sum = new Counters(this.#nowMs);
    sum.#add(this);
    const empty = new Histogram();
    const numbers = Object.fromEntries(COUNTED.map((name) => [name, sum[name]])) as Record<Counted, number>;
    return {
      elapsedMs: this.#nowMs() - this.#sinceMs,
      ...numbers,
      errors: Object.fromEntries(sum.#errors),
      openingMs: (sum.#openingMs ?? empty).snapshot(),
      roundTripMs: (sum.#roundTripMs ?? empty).snapshot(),
    };
  }

  reset(): void {
    for (const part of this.#parts) part.reset();
    for (const name of COUNTED) if (name !== "connections") this[name] = 0;
    this.#errors.clear();
    this.#openingMs?.reset();
    this.#roundTripMs?.reset();
    this.#sinceMs = this.#nowMs();
  }

  /** Adds what another group and its parts have counted. */
  #add(other: Counters): void {
    for (const name of COUNTED) this[name] += other[name];
    for (const [code, count] of other.#errors) this.#errors.set(code, (this.#errors.get(code) ?? 0) + count);
    this.#openingMs = sumOf(this.#openingMs, other.#openingMs);
    this.#roundTripMs = sumOf(this.#roundTripMs, other.#roundTripMs);
    for (const part of other.#parts) this.#add(part);
  }
}

function sumOf(sum: Histogram | undefined, other: Histogram | undefined): Histogram | undefined {
  if (other === undefined) return sum;
  const result = sum ?? new Histogram();
  result.add(other);
  return result;
}
