/**
 * Peer: the ws package as an echo, on Node (under Bun, "ws" would be Bun's own stand-in), with
 * compression off and limits up.
 */
import { WebSocketServer } from "ws";

const server = new WebSocketServer({
  port: 0,
  host: "127.0.0.1",
  perMessageDeflate: false,
  maxPayload: 64 << 20,
});
server.on("connection", (socket) => {
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
});
server.on("listening", () => console.log(`listening ${server.address().port}`));
