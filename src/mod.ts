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

export { ERROR_CODES, type ErrorCode, type ErrorDetails, RingwireError } from "./errors.ts";
export type { MessageRates, Rate, ReceiveLimit, WhenExceeded } from "./limit/rate.ts";
export type { RateLimiter, RateLimiterOptions, RateOptions, TakeOptions } from "./limit/rate_limiter.ts";
export { Loop } from "./loop.ts";
export type { Metrics, MetricsSnapshot } from "./metrics/counters.ts";
export type { HistogramSnapshot } from "./metrics/histogram.ts";
export type {
  CompressionMode,
  CompressionOptions,
  LoopOptions,
  SystemSocketOptions,
  WebSocketOptions,
  WithLoop,
} from "./options.ts";
export { type RequestHeaders, requestHeaders } from "./protocol/request_headers.ts";
export type { RecorderStats } from "./record/record_writer.ts";
export type { Recorder, RecorderOptions } from "./record/recorder.ts";
export type { RecordingProblem } from "./record/recording.ts";
export type { Replay, ReplayOptions, ReplayStats } from "./record/replay.ts";
export type { DisconnectKind, DisconnectReason } from "./service/disconnect_reason.ts";
export { Endpoint, type EndpointState } from "./service/endpoint.ts";
export type {
  EndpointHandlers,
  EndpointOptions,
  EndpointUrl,
  GapEvent,
  HeartbeatOptions,
  ReconnectOptions,
  WithContext,
} from "./service/endpoint_options.ts";
export { Service, type ServiceOptions } from "./service/service.ts";
export type { RouteOptions } from "./stream/route.ts";
export { Stream } from "./stream/stream.ts";
export { type ConnectStreamOptions, connectStream } from "./stream/stream_client.ts";
export type { StreamHandlers, StreamOptions } from "./stream/stream_options.ts";
export type { TlsInfo, TlsVersion } from "./tls.ts";
export type { ClientTlsOptions, Pem, ServerTlsOptions, TlsCertificate, TlsOptions } from "./tls_options.ts";
export type { Address, TransportStats } from "./transport.ts";
export { type ConnectOptions, connect } from "./websocket/client.ts";
export { CloseEvent, type CloseEventFields } from "./websocket/close_event.ts";
export type { ConnectionLimit } from "./websocket/connection_limit.ts";
export type { CloseInfo, SendStatus, WebSocketHandlers } from "./websocket/handlers.ts";
export { parseJson, type SchemaIssue, type SchemaResult, type StandardSchema } from "./websocket/json.ts";
export { Message } from "./websocket/message.ts";
export type { BatchMessage, MessageBatch } from "./websocket/message_batch.ts";
export {
  type ServeOptions,
  Server,
  type StopOptions,
  serve,
  type UpgradeOptions,
} from "./websocket/server.ts";
export { Socket, type SocketInfo } from "./websocket/socket.ts";
export {
  type EventHandler,
  WebSocket,
  type WebSocketEvents,
  type WebSocketInit,
} from "./websocket/web_socket.ts";
