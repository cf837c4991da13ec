/**
 * Peer: the ws package as an echo, on Node (under Bun, "ws" would be Bun's own stand-in), with
 * compression off and limits up. Options: --cert FILE --key FILE for TLS, as its readme does it.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { parseArgs } from "node:util";
import { WebSocketServer } from "ws";

const { values } = parseArgs({ options: { cert: { type: "string" }, key: { type: "string" } } });
const address = { port: 0, host: "127.0.0.1" };
const web =
  values.cert && values.key
    ? createServer({ cert: readFileSync(values.cert), key: readFileSync(values.key) })
    : undefined;
const server = new WebSocketServer({
  ...(web ? { server: web } : address),
  perMessageDeflate: false,
  maxPayload: 64 << 20,
});
server.on("connection", (socket) => {
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
});
server.on("listening", () => console.log(`listening ${server.address().port}`));
web?.listen(address);
