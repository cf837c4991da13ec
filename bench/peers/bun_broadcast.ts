/**
 * Peer: Bun's own WebSocket server sending each message to all its sockets by its publish, with compression off and limits up.
 */
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request, server) {
    return server.upgrade(request) ? undefined : new Response("WebSocket only", { status: 426 });
  },
  websocket: {
    perMessageDeflate: false,
    maxPayloadLength: 64 << 20,
    backpressureLimit: 64 << 20,
    idleTimeout: 0,
    open: (ws) => void ws.subscribe("all"),
    message: (_ws, data) => void server.publish("all", data),
  },
});
console.log(`listening ${server.port}`);
