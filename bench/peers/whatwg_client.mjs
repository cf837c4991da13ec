/**
 * Peer: the WebSocket class of browsers as a client that decodes texts: Bun's own, Deno's own, undici's on Node. Every so many messages it
 * sends the last one back (bench/load/ticker.c). Compression is off: that server agrees to none.
 *
 * Options: --port N, --connections N, --every N.
 */
import { parseArgs } from "node:util";

// Node 20 has none of its own; later ones have this one.
const WebSocket = globalThis.WebSocket ?? (await import("undici")).WebSocket;

const { values } = parseArgs({
  options: { port: { type: "string" }, connections: { type: "string" }, every: { type: "string" } },
});
const every = Number(values.every);

for (let index = 0; index < Number(values.connections); index++) {
  let count = 0;
  const socket = new WebSocket(`ws://127.0.0.1:${values.port}/`);
  socket.onmessage = ({ data }) => {
    if (++count % every === 0) socket.send(data);
  };
  socket.onerror = ({ message }) => console.error(message);
}
