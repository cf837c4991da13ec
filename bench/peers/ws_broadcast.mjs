/**
 * Peer: the ws package on Node sending each message to all its sockets, as its readme does it, with compression off and limits up.
 */
import { WebSocket, WebSocketServer } from "ws";

const server = new WebSocketServer({
  port: 0,
  host: "127.0.0.1",
  perMessageDeflate: false,
  maxPayload: 64 << 20,
});
server.on("connection", (socket) => {
  socket.on("message", (data, binary) => {
    for (const client of server.clients) {
      if (client.readyState === WebSocket.OPEN) client.send(data, { binary });
    }
  });
});
server.on("listening", () => console.log(`listening ${server.address().port}`));
