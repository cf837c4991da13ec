/**
 * Peer: Bun's own WebSocket server as an echo, with compression off and limits up. Options: --cert FILE --key FILE for TLS.
 */
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { cert: { type: "string" }, key: { type: "string" } } });
const tls =
  values.cert && values.key ? { cert: Bun.file(values.cert), key: Bun.file(values.key) } : undefined;

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  ...(tls ? { tls } : {}),
  fetch(request, server) {
    return server.upgrade(request) ? undefined : new Response("WebSocket only", { status: 426 });
  },
  websocket: {
    perMessageDeflate: false,
    maxPayloadLength: 64 << 20,
    backpressureLimit: 64 << 20,
    idleTimeout: 0,
    message(ws, data) {
      ws.send(data);
    },
  },
});
console.log(`listening ${server.port}`);
