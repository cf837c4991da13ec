/**
 * A pool of WebSocket connections.
 *
 * @example
 * ```ts
 * import { serve } from "ringwire";
 * import { Pool } from "ringwire/pool";
 *
 * const server = await serve({ port: 0, websocket: { message: (ws, data) => void ws.send(data) } });
 * await using pool = new Pool();
 * {
 *   using lease = await pool.acquire(server.url);
 *   lease.socket.send("hello");
 * }
 * await pool.close();
 * await server.stop();
 * ```
 *
 * @module
 */

export { Lease } from "./lease.ts";
export { Pool, type PoolOptions } from "./pool.ts";
export type { PoolStats } from "./url_pool.ts";
