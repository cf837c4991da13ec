/**
 * `connect` and its options: from a URL to an open WebSocket.
 */
import { Connector } from "./connector.js";
/**
 * Opens a WebSocket. Resolves once the handshake is done.
 *
 * @param url - `ws:` or `wss:`, `http:` or `https:`, or `ws+unix:PATH:TARGET` (with TLS: `wss+unix:`) for a Unix socket.
 * @throws TypeError, RangeError for a bad URL, unknown options and values out of range.
 * @throws RingwireError `ERR_CONNECTION_REFUSED`, `ERR_HOST_NOT_FOUND`, `ERR_CONNECTION_TIMEOUT`, `ERR_HANDSHAKE_TIMEOUT`,
 *   `ERR_HANDSHAKE_REFUSED` (with `status`), `ERR_HANDSHAKE_FAILED`, `ERR_TLS_UNKNOWN_ISSUER`, `ERR_TLS_HOST_MISMATCH`, `ERR_ABORTED` …
 *
 * @example
 * ```ts
 * import { connect, serve } from "ringwire";
 *
 * const server = await serve({ port: 0, websocket: { message: (ws, data) => void ws.send(data) } });
 * await using socket = await connect(server.url, { signal: AbortSignal.timeout(5_000) });
 * socket.send("hello");
 * for await (const message of socket) {
 *   console.log(message.text());
 *   break;
 * }
 * await server.stop();
 * ```
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-4.1 | RFC 6455 §4.1}
 */
export async function connect(url, options = {}) {
    const connector = new Connector("connect", options);
    return new Promise((resolve, reject) => {
        connector.open(url, { opened: ({ socket }) => resolve(socket), failed: reject });
    });
}
