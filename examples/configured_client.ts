/** A client with most of what can be said about one: terms of the handshake, limits, deadlines, compression, the socket. Ends by itself. */
import { connect, serve } from "ringwire";

const server = await serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request, self) {
    const isKnown = request.headers.get("authorization") === "Bearer token";
    if (isKnown && self.upgrade(request, { protocol: "v2.json" })) return undefined;
    return new Response("who are you?", { status: 401 });
  },
  websocket: {
    compression: "shared",
    message: (ws, data) => void ws.send(data),
  },
});

const socket = await connect(server.url, {
  // The handshake.
  protocols: ["v2.json", "v1.json"],
  headers: { authorization: "Bearer token", "user-agent": "example/1.0" },
  connectTimeoutMs: 2_000,
  handshakeTimeoutMs: 2_000,
  maxHeaderBytes: 4_096,
  signal: AbortSignal.timeout(5_000),
  // The socket.
  noDelay: true,
  keepAliveMs: 30_000,
  websocket: {
    // Messages.
    compression: { mode: "shared", thresholdBytes: 256, level: 4 },
    maxMessageBytes: 1 << 20,
    fragmentBytes: 16_384,
    // A slow peer.
    maxBufferedBytes: 1 << 20,
    highWaterRatio: 0.5,
    lowWaterRatio: 0.25,
    whenFull: "wait",
    maxUnreadBytes: 1 << 18,
    // A silent one.
    pingIntervalMs: 10_000,
    pongTimeoutMs: 5_000,
    idleTimeoutMs: 60_000,
    messageTimeoutMs: 10_000,
    closeTimeoutMs: 1_000,
  },
});
console.log(`protocol ${socket.protocol}, ${socket.extensions.split(";")[0]}`);
socket.send(JSON.stringify({ text: "over and over ".repeat(5_000) }));
for await (const message of socket) {
  console.log(`${message.json<{ text: string }>().text.length} characters came back`);
  socket.close(1000, "thanks");
}
const { code, reason, wasClean } = await socket.closed;
console.log(`closed with ${code} ${reason}, ${wasClean ? "cleanly" : "not cleanly"}`);
await server.stop();
