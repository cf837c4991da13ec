/** An endpoint as programs see it: a handle to what a service keeps connected. */
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
export class Endpoint {
    #view;
    /** Not for programs: endpoints come from `service.add`. */
    constructor(view) {
        this.#view = view;
    }
    /** Where it stands. While a successor is being connected (`makeBeforeBreak`) it is `open`. */
    get state() {
        return this.#view.state;
    }
    /** The open WebSocket, if there is one. */
    get socket() {
        return this.#view.socket;
    }
    /** Where the last attempt went to, without user and password; "" before `url` has said. */
    get url() {
        return this.#view.url;
    }
    /** Attempts begun since it was added. */
    get attempts() {
        return this.#view.attempts;
    }
    /** How often it has been open again after the first time. */
    get reconnects() {
        return this.#view.reconnects;
    }
    /** Why it last lost a connection or did not get one. */
    get lastReason() {
        return this.#view.lastReason;
    }
    /** When the open connection was opened, on the clock of `performance.now()`; undefined when there is none. */
    get connectedSinceMs() {
        return this.#view.connectedSinceMs;
    }
}
