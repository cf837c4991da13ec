/**
 * The one handler object: what a program tells a WebSocket to do, the same on clients and servers.
 */
/** Names of {@linkcode WebSocketHandlers}. */
export const HANDLER_NAMES = [
    "open",
    "message",
    "batch",
    "drain",
    "ping",
    "pong",
    "error",
    "close",
];
