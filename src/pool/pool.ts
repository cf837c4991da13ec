/** `Pool`: connections that are opened once and used by many, one after the other. */

import { RingwireError } from "../errors.ts";
import { checkKnown, checkSignal, type NumberOption, readNumbers } from "../options.ts";
import { urlText } from "../protocol/url.ts";
import type { ConnectOptions } from "../websocket/client.ts";
import { Connector } from "../websocket/connector.ts";
import type { Lease } from "./lease.ts";
import { type PoolLimits, type PoolStats, UrlPool } from "./url_pool.ts";

/** Options of a {@linkcode Pool}. */
export interface PoolOptions<Data> {
  /**
   * How its connections are made: the options of `connect`. Idle ones are checked by their pings (`websocket.pingIntervalMs`, every 30 s, and
   * `pongTimeoutMs`). `signal` is for `acquire` instead.
   */
  readonly connect?: Omit<ConnectOptions<Data>, "signal">;
  /** Connections per URL that are kept open once the URL has been asked for. 0 to `max`. @default 1 */
  readonly min?: number;
  /** Connections per URL at most. 1 to 10,000. @default 10 */
  readonly max?: number;
  /** Connections above `min` that nobody used for so long are closed, milliseconds. @default 300,000 */
  readonly idleTimeoutMs?: number;
  /** How long `acquire` may wait, milliseconds. @default 5,000 */
  readonly acquireTimeoutMs?: number;
  /** Calls of `acquire` that may wait per URL; more are refused with `ERR_BACKPRESSURE`. @default 10,000 */
  readonly maxWaiting?: number;
}

const LONGEST_MS = 2_147_483_647;
const NUMBERS: { readonly [Name in keyof PoolLimits]: NumberOption } = {
  min: { default: 1, min: 0, max: 10_000 },
  max: { default: 10, min: 1, max: 10_000 },
  idleTimeoutMs: { default: 300_000, min: 1, max: LONGEST_MS },
  acquireTimeoutMs: { default: 5_000, min: 1, max: LONGEST_MS },
  maxWaiting: { default: 10_000, min: 0, max: 1_000_000 },
};
const GRACE: { readonly graceMs: NumberOption } = { graceMs: { default: 5_000, min: 0, max: LONGEST_MS } };

/**
 * A pool of WebSockets, by URL. Who asks first is served first; a connection that dies is replaced, and who waits for one does
 * not notice.
 *
 * @example
 * ```ts
 * import { serve } from "ringwire";
 * import { Pool } from "ringwire/pool";
 *
 * const server = await serve({ port: 0, websocket: { message: (ws, data) => void ws.send(data) } });
 * const pool = new Pool({ max: 4 });
 * {
 *   await using lease = await pool.acquire(server.url);
 *   lease.socket.send("hello");
 * }
 * console.log(pool.stats.acquired, pool.stats.busy); // 1 0
 * await pool.close();
 * await server.stop();
 * ```
 */
export class Pool<Data = undefined> implements AsyncDisposable {
  readonly #connector: Connector<Data>;
  readonly #limits: PoolLimits;
  readonly #pools: Map<string, UrlPool<Data>> = new Map();
  #closing: Promise<void> | undefined = undefined;

  /** Checks the options; nothing is connected yet. @throws TypeError, RangeError for unknown options and values out of range. */
  constructor(options: PoolOptions<Data> = {}) {
    checkKnown("Pool", options, [...Object.keys(NUMBERS), "connect"]);
    this.#limits = readNumbers("Pool", options, NUMBERS);
    const { min, max } = this.#limits;
    if (min > max) throw new RangeError(`Option "min" of Pool (${min}) must not be above "max" (${max})`);
    if (options.connect !== undefined && "signal" in options.connect) {
      throw new TypeError(`Option "signal" is for acquire, not for the connections of a pool`);
    }
    this.#connector = new Connector("connect of Pool", options.connect ?? {});
  }

  /** What all URLs together have and have done. */
  get stats(): PoolStats {
    const sum = {
      ...{ busy: 0, idle: 0, connecting: 0, waiting: 0 },
      ...{ acquired: 0, timedOut: 0, opened: 0, failed: 0, evicted: 0 },
    };
    for (const { stats } of this.#pools.values()) {
      for (const name of Object.keys(sum) as (keyof PoolStats)[]) sum[name] += stats[name];
    }
    return sum;
  }

  /** The same for one URL; undefined when it was never asked for. */
  statsOf(url: string | URL): PoolStats | undefined {
    return this.#pools.get(urlText(url))?.stats;
  }

  /**
   * Lends a connection: an idle one, a new one, or the next that is returned.
   *
   * @param options - `signal` gives up waiting.
   * @throws TypeError, RangeError for a bad URL.
   * @throws RingwireError `ERR_ACQUIRE_TIMEOUT` when none was to be had in time (`cause`: why the last attempt to connect failed, if one did),
   *   `ERR_BACKPRESSURE` when too many wait, `ERR_ABORTED`, `ERR_NOT_OPEN` when the pool is closed, and what cannot be mended by
   *   waiting, such as `ERR_TLS_UNKNOWN_ISSUER`.
   */
  async acquire(url: string | URL, options: { readonly signal?: AbortSignal } = {}): Promise<Lease<Data>> {
    checkKnown("acquire", options, ["signal"]);
    checkSignal("acquire", options.signal);
    if (this.#closing !== undefined) {
      throw new RingwireError("ERR_NOT_OPEN", "Cannot acquire a connection: the pool is closed");
    }
    const text = urlText(url);
    let pool = this.#pools.get(text);
    if (pool === undefined) {
      this.#connector.check(url);
      pool = new UrlPool(text, this.#connector, this.#limits);
      this.#pools.set(text, pool);
    }
    return pool.acquire(options.signal);
  }

  /**
   * Closes all connections: idle ones now, others when they are returned, at the latest after `graceMs` (5,000). Resolves when all are gone. Idempotent.
   */
  close(options: { readonly graceMs?: number } = {}): Promise<void> {
    checkKnown("close", options, ["graceMs"]);
    const { graceMs } = readNumbers("close", options, GRACE);
    this.#closing ??= Promise.all([...this.#pools.values()].map((pool) => pool.close(graceMs))).then(
      () => undefined,
    );
    return this.#closing;
  }

  /** Same as {@linkcode Pool.close} with its default. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
