/**
 * Peer: the ws package on Node, sending compressed market data, with zlib's settings as ours. The client decides about the
 * takeover. Option: --compression disabled|shared|dedicated.
 */
import { parseArgs } from "node:util";
import { WebSocketServer } from "ws";
// Node 20 takes no TypeScript: the form that bundle.mjs has made.
import { quote, REQUESTED } from "../../build/bench/programs/quotes.js";

const { values } = parseArgs({
  options: { compression: { type: "string", default: "dedicated" } },
  strict: false,
});
const server = new WebSocketServer({
  port: 0,
  host: "127.0.0.1",
  perMessageDeflate: values.compression !== "disabled" && {
    threshold: 0,
    zlibDeflateOptions: { level: 6, memLevel: 8 },
  },
});
server.on("connection", (socket) => {
  let sequence = 0;
  socket.on("message", () => {
    for (let count = 0; count < REQUESTED; count++) socket.send(quote(sequence++));
  });
});
server.on("listening", () => console.log(`listening ${server.address().port}`));
