/**
 * Peer: the ws package on Node as a client that decodes texts. Every so many messages it sends the last one back (bench/load/ticker.c).
 *
 * Options: --port N, --connections N, --every N.
 */
import { parseArgs } from "node:util";
import { WebSocket } from "ws";

const { values } = parseArgs({
  options: { port: { type: "string" }, connections: { type: "string" }, every: { type: "string" } },
});
const every = Number(values.every);

for (let index = 0; index < Number(values.connections); index++) {
  let count = 0;
  const socket = new WebSocket(`ws://127.0.0.1:${values.port}/`, { perMessageDeflate: false });
  socket.on("message", (data) => {
    // ws gives text as bytes.
    const text = data.toString();
    if (++count % every === 0) socket.send(text);
  });
  socket.on("error", ({ message }) => console.error(message));
}
