/**
 * A Ringwire echo server as a program writes it first: every option at its default, but for the number of connections. For promises.mjs.
 *
 * Options: --transport uring|native.
 */
import { parseArgs } from "node:util";
import { Loop, serve } from "ringwire";

const { values } = parseArgs({ options: { transport: { type: "string", default: "uring" } } });

const server = await serve({
  port: 0,
  hostname: "127.0.0.1",
  loop: new Loop({ transport: values.transport as "uring" | "native" }),
  maxConnections: 20_000,
  websocket: { message: (ws, data) => void ws.send(data) },
});
console.log(`listening ${server.port}`);
