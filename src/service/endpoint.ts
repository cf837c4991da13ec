/** An endpoint as programs see it: a handle to what a service keeps connected. */

import type { Socket } from "../websocket/socket.ts";
import type { DisconnectReason } from "./disconnect_reason.ts";

/**
 * What becomes of an endpoint: `connecting` (an attempt is under way), `open`, `waiting` (for the next attempt), `stopped` (it will not
 * come back by itself), `removed`.
 */
export type EndpointState = "connecting" | "open" | "waiting" | "stopped" | "removed";

/** What an endpoint shows, as its inside has it. */
export interface EndpointView<Context> {
  readonly state: EndpointState;
  readonly socket: Socket<Endpoint<Context>> | undefined;
  readonly url: string;
  readonly attempts: number;
  readonly reconnects: number;
  readonly lastReason: DisconnectReason | undefined;
  readonly connectedSinceMs: number | undefined;
}

/**
 * A handle to one endpoint of a {@linkcode Service}; made by `service.add`. In handlers it is `ws.data`.
 *
 * @example
 * ```ts
 * import { type Endpoint, serve, Service } from "ringwire";
 *
 * const server = await serve({ port: 0, websocket: {} });
 * await using service = new Service();
 * const endpoint: Endpoint = service.add({ url: server.url });
 * console.log(endpoint.state);
 * await server.stop();
 * ```
 */
export class Endpoint<Context = undefined> {
  readonly #view: EndpointView<Context>;

  /** @internal Not for programs: endpoints come from `service.add`. */
  constructor(view: EndpointView<Context>) {
    this.#view = view;
  }

  /** Where it stands. While a successor is being connected (`makeBeforeBreak`) it is `open`. */
  get state(): EndpointState {
    return this.#view.state;
  }

  /** The open WebSocket, if there is one. */
  get socket(): Socket<Endpoint<Context>> | undefined {
    return this.#view.socket;
  }

  /** Where the last attempt went to, without user and password; "" before `url` has said. */
  get url(): string {
    return this.#view.url;
  }

  /** Attempts begun since it was added. */
  get attempts(): number {
    return this.#view.attempts;
  }

  /** How often it has been open again after the first time. */
  get reconnects(): number {
    return this.#view.reconnects;
  }

  /** Why it last lost a connection or did not get one. */
  get lastReason(): DisconnectReason | undefined {
    return this.#view.lastReason;
  }

  /** When the open connection was opened, on the clock of `performance.now()`; undefined when there is none. */
  get connectedSinceMs(): number | undefined {
    return this.#view.connectedSinceMs;
  }
}
