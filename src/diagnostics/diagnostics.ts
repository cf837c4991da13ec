/**
 * Tells what happens to connections, to whoever has subscribed: programs by `node:diagnostics_channel`, people by RINGWIRE_DEBUG. Nothing is
 * made or called while nobody has. Per connection and per trouble, never per message.
 */

import type { RingwireError } from "../errors.ts";
import type { DiagnosticChannel, Runtime } from "../runtime/runtime.ts";
import type { Address, Transport } from "../transport.ts";
import { DebugLog } from "./debug_log.ts";

/** Which connection an event is about. */
export interface ConnectionEvent {
  /** The `Socket`: the same object in all events of a connection. */
  readonly socket: object;
  /** Which end of it is ours. */
  readonly role: "client" | "server";
  /** The URL that the client asked for. May hold secrets. */
  readonly url: string;
}

/** Which endpoint of a service an event is about. */
export interface EndpointEvent {
  /** The `Endpoint`: the same object in all events about it. */
  readonly endpoint: object;
  /** Where the connection went. May hold secrets. */
  readonly url: string;
  /** Why it ended: `DisconnectReason.kind`. */
  readonly kind: string;
}

/** What is published on each channel. Its name is `ringwire:` and the event's. */
export interface DiagnosticEvents {
  /** A loop was made. */
  readonly "loop:open": {
    readonly transport: Transport["kind"];
    readonly drive: string;
    readonly reason: string;
  };
  /** A server listens. */
  readonly "server:listen": { readonly address: Address };
  /** A server was told to stop. */
  readonly "server:stop": { readonly address: Address; readonly connections: number };
  /** An opening handshake succeeded. */
  readonly "connection:open": ConnectionEvent & { readonly protocol: string; readonly extensions: string };
  /** A WebSocket is gone. */
  readonly "connection:close": ConnectionEvent & {
    readonly code: number;
    readonly reason: string;
    readonly wasClean: boolean;
  };
  /** A WebSocket failed, or a handler of it threw. */
  readonly "connection:error": ConnectionEvent & { readonly error: RingwireError };
  /** The queue of a slow peer went above the high mark, or fell to the low one again. */
  readonly "connection:backpressure": ConnectionEvent & {
    readonly state: "high" | "low";
    readonly bufferedBytes: number;
  };
  /** Messages of a peer came faster than `receiveLimit` allows: what became of them. */
  readonly "connection:limit": ConnectionEvent & { readonly action: "pause" | "drop" | "close" };
  /** A connection of a service's endpoint ended, or an attempt failed. `state`: what becomes of the endpoint. */
  readonly "endpoint:closed": EndpointEvent & { readonly state: string };
  /** An endpoint is connected again: how long it was not, and after how many attempts. */
  readonly "endpoint:gap": EndpointEvent & { readonly durationMs: number; readonly attempts: number };
  /** A client's handshake failed. */
  readonly "handshake:fail": { readonly url: string; readonly error: RingwireError };
  /** A server refused a request: an answer other than the program's own. */
  readonly "handshake:refuse": { readonly status: number; readonly reason: string };
}

/** A name of {@linkcode DiagnosticEvents}. */
export type DiagnosticEvent = keyof DiagnosticEvents;

/** Every event, for the debug log and for documentation. */
export const DIAGNOSTIC_EVENTS: readonly DiagnosticEvent[] = [
  "loop:open",
  "server:listen",
  "server:stop",
  "connection:open",
  "connection:close",
  "connection:error",
  "connection:backpressure",
  "connection:limit",
  "endpoint:closed",
  "endpoint:gap",
  "handshake:fail",
  "handshake:refuse",
];

/** See the top of this file. One per loop; the channels are the process's. */
export class Diagnostics {
  readonly #channels: Readonly<Record<string, DiagnosticChannel>>;
  readonly #log: DebugLog | undefined;

  constructor(runtime: Pick<Runtime, "channel" | "environment" | "nowMs">) {
    this.#channels = Object.fromEntries(
      DIAGNOSTIC_EVENTS.map((event) => [event, runtime.channel(`ringwire:${event}`)]),
    );
    this.#log = DebugLog.from(runtime.environment("RINGWIRE_DEBUG"), DIAGNOSTIC_EVENTS, () =>
      runtime.nowMs(),
    );
  }

  /** Whether anybody wants to know: ask before making the message. */
  wants(event: DiagnosticEvent): boolean {
    return this.#channels[event].hasSubscribers || this.#log?.shows(event) === true;
  }

  /** Tells whoever wants to know. */
  publish<Event extends DiagnosticEvent>(event: Event, message: DiagnosticEvents[Event]): void {
    this.#log?.write(event, message);
    this.#channels[event].publish(message);
  }
}
