/**
 * Ringwire: WebSocket clients and servers for Bun, Deno and Node, over io_uring where Linux has it and the runtime's own
 * sockets everywhere else.
 *
 * @example
 * ```ts
 * import { connect, serve } from "ringwire";
 *
 * const server = await serve({ port: 0, websocket: { message: (ws, data) => void ws.send(data) } });
 * await using socket = await connect(server.url);
 * socket.send("hello");
 * for await (const message of socket) {
 *   console.log(message.text());
 *   break;
 * }
 * await server.stop();
 * ```
 *
 * @module
 */
export { ERROR_CODES, RingwireError } from "./errors.js";
export { Loop } from "./loop.js";
export { Endpoint } from "./service/endpoint.js";
export { Service } from "./service/service.js";
export { Stream } from "./stream/stream.js";
export { connectStream } from "./stream/stream_client.js";
export { connect } from "./websocket/client.js";
export { CloseEvent } from "./websocket/close_event.js";
export { Message } from "./websocket/message.js";
export { Server, serve, } from "./websocket/server.js";
export { Socket } from "./websocket/socket.js";
export { WebSocket } from "./websocket/web_socket.js";
