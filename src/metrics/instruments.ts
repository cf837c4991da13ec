/** What of a snapshot goes out to Prometheus and OpenTelemetry, and what it means: one table for both. */

import type { MetricsSnapshot } from "./counters.ts";

/** Names of the numbers of a snapshot. */
type NumberName = {
  [Key in keyof MetricsSnapshot]: MetricsSnapshot[Key] extends number ? Key : never;
}[keyof MetricsSnapshot];

/** A number that goes out. */
export interface NumberInstrument {
  /** All but `elapsedMs`, which whoever collects knows better. */
  readonly key: Exclude<NumberName, "elapsedMs">;
  /** Words of its name, small ones first: `connections.opened`. */
  readonly name: string;
  /** What is counted: bytes, or things in braces, as UCUM wants. */
  readonly unit: string;
  readonly help: string;
}

/** Times that go out: milliseconds in a snapshot, seconds outside. */
export interface TimeInstrument {
  readonly key: "openingMs" | "roundTripMs";
  readonly name: string;
  readonly help: string;
}

/** What only grows. */
export const COUNTERS: readonly NumberInstrument[] = [
  number("connectionsOpened", "connections.opened", "{connection}", "Opening handshakes that succeeded."),
  number(
    "connectionsFailed",
    "connections.failed",
    "{connection}",
    "Opening handshakes that did not succeed.",
  ),
  number("connectionsClosed", "connections.closed", "{connection}", "WebSockets that are gone."),
  number("messagesReceived", "messages.received", "{message}", "Messages that arrived."),
  number("messagesSent", "messages.sent", "{message}", "Messages that were sent or queued."),
  number(
    "messagesDropped",
    "messages.dropped",
    "{message}",
    "Messages not taken because the queue was full.",
  ),
  number(
    "messagesShed",
    "messages.shed",
    "{message}",
    "Messages that arrived and were dropped by receiveLimit.",
  ),
  number("bytesReceived", "received", "By", "Bytes of frames that arrived."),
  number("bytesSent", "sent", "By", "Bytes of frames that were sent or queued."),
  number("backpressures", "backpressures", "{send}", "Sends that met a slow peer."),
];

/** What goes up and down. */
export const CONNECTIONS: NumberInstrument = number(
  "connections",
  "connections",
  "{connection}",
  "WebSockets open now.",
);

/** Failures, which have a label of their own: `code`. */
export const ERRORS: { readonly name: string; readonly help: string } = {
  name: "errors",
  help: "Failures by code.",
};

/** How long things took. */
export const TIMES: readonly TimeInstrument[] = [
  { key: "openingMs", name: "opening", help: "Of clients: from connect to the open WebSocket." },
  { key: "roundTripMs", name: "round_trip", help: "From a ping to its pong." },
];

/** Shares of all values, as they are named outside, with their names in a snapshot. */
export const QUANTILES: readonly (readonly [string, "p50" | "p95" | "p99" | "p999"])[] = [
  ["0.5", "p50"],
  ["0.95", "p95"],
  ["0.99", "p99"],
  ["0.999", "p999"],
];

function number(key: NumberInstrument["key"], name: string, unit: string, help: string): NumberInstrument {
  return { key, name, unit, help };
}
