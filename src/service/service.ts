/** Services: endpoints that stay connected. */

import { RingwireError } from "../errors.ts";
import { engineOf, type Loop, loopOf } from "../loop.ts";
import type { Counters, Metrics } from "../metrics/counters.ts";
import { checkCallback, checkKnown, type WithLoop } from "../options.ts";
import type { Socket } from "../websocket/socket.ts";
import type { Endpoint } from "./endpoint.ts";
import { EndpointHost, type Household } from "./endpoint_host.ts";
import type { EndpointOptions } from "./endpoint_options.ts";

/** Options of a {@linkcode Service}. */
export interface ServiceOptions<Context> extends WithLoop {
  /** What every handler of every endpoint gets as its last argument. */
  readonly context?: Context;
}

/**
 * A set of endpoints, each a WebSocket that is connected again whenever it is lost, and a context they share. The service keeps the
 * process alive as long as an endpoint may come back.
 *
 * @example
 * ```ts
 * import { serve, Service } from "ringwire";
 *
 * const server = await serve({ port: 0, websocket: { message: (ws, data) => void ws.send(data) } });
 * await using service = new Service({ context: { echoes: 0 } });
 * const endpoint = service.add({
 *   url: () => server.url,
 *   websocket: {
 *     open: (ws) => void ws.send("subscribe"),
 *     message: (ws, data, isText, context) => void context.echoes++,
 *   },
 *   gap: (event) => console.warn(`lost ${event.durationMs} ms: ${event.reason.kind}`),
 *   closed: (reason) => console.log(reason.kind, reason.error?.code),
 * });
 * service.dispatch(endpoint, (ws) => ws.send("order"));
 * await server.stop();
 * ```
 */
export class Service<Context = undefined> implements Iterable<Endpoint<Context>>, AsyncDisposable {
  /** What every handler gets as its last argument. */
  readonly context: Context;
  /** Where its connections live. */
  readonly loop: Loop;
  readonly #hosts: Map<Endpoint<Context>, EndpointHost<Context>> = new Map();
  readonly #household: Household<Context>;
  readonly #counters: Counters;
  #isClosed = false;

  /**
   * Makes a service without endpoints.
   *
   * @param options - See {@linkcode ServiceOptions}.
   * @throws TypeError for unknown options.
   */
  constructor(options: ServiceOptions<Context> = {}) {
    checkKnown("Service", options, ["context", "loop"]);
    this.context = options.context as Context;
    this.loop = loopOf(options.loop);
    const engine = engineOf(this.loop);
    this.#counters = engine.metrics.part();
    this.#household = {
      context: this.context,
      engine: { ...engine, metrics: this.#counters },
      removed: (endpoint) => void this.#hosts.delete(endpoint),
    };
  }

  /** How many endpoints it has, stopped ones included. */
  get size(): number {
    return this.#hosts.size;
  }

  /** What the WebSockets of its endpoints have done: counters and times. */
  get metrics(): Metrics {
    return this.#counters;
  }

  /**
   * Adds an endpoint and begins to connect it at once.
   *
   * @throws TypeError, RangeError for options that are unknown, out of range or do not fit, and for a URL that is none.
   * @throws RingwireError `ERR_NOT_OPEN` when the service was closed.
   */
  add(options: EndpointOptions<Context>): Endpoint<Context> {
    if (this.#isClosed)
      throw new RingwireError("ERR_NOT_OPEN", "Cannot add an endpoint: the service is closed");
    const host = new EndpointHost<Context>(this.#household, options);
    this.#hosts.set(host.endpoint, host);
    host.start();
    return host.endpoint;
  }

  /**
   * Closes an endpoint's connection with 1000 and forgets it. Its `closed` comes with the reason `removed`. Resolves when all is gone.
   *
   * @throws TypeError for what is no endpoint of this service. One that was removed before is none any more.
   */
  remove(endpoint: Endpoint<Context>): Promise<void> {
    return this.#hostOf(endpoint).remove();
  }

  /**
   * Runs a function with an endpoint's WebSocket, if it is open. Returns what that returned, or undefined.
   *
   * @throws TypeError for what is no endpoint of this service, and for what is no function. What the function throws.
   */
  dispatch<Result>(
    endpoint: Endpoint<Context>,
    run: (ws: Socket<Endpoint<Context>>, context: Context) => Result,
  ): Result | undefined {
    const { socket } = this.#hostOf(endpoint);
    // Also while nothing is open: the mistake shows at the first call.
    checkCallback("dispatch", run);
    return socket === undefined ? undefined : run(socket, this.context);
  }

  /** The endpoints, in the order in which they were added. */
  [Symbol.iterator](): Iterator<Endpoint<Context>> {
    return [...this.#hosts.keys()][Symbol.iterator]();
  }

  /**
   * One turn of its `manual` loop: the same as `service.loop.poll(waitUs)`. Nothing of an endpoint whose `url` is an IP address, or a
   * function that answers one at once, needs promises: it lives on turns alone.
   *
   * @param waitUs - Microseconds to wait in the kernel when there is nothing to do. @default 0
   * @throws RingwireError `ERR_DRIVE_UNAVAILABLE` as {@linkcode Loop.poll}.
   */
  poll(waitUs = 0): number {
    return this.loop.poll(waitUs);
  }

  /** Removes every endpoint. Resolves when all connections are gone. The loop stays open. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#hosts.values()].map((host) => host.remove()));
    this.#counters.fold();
  }

  /** Same as {@linkcode Service.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #hostOf(endpoint: Endpoint<Context>): EndpointHost<Context> {
    const host = this.#hosts.get(endpoint);
    if (host === undefined) throw new TypeError("Cannot find the endpoint: this service does not have it");
    return host;
  }
}
