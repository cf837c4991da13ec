/**
 * What is being measured: a Ringwire server that sends each message to all its sockets, as a program does it: there is no publish.
 *
 * Options: --transport uring|native, --drive auto|spin.
 */
import { parseArgs } from "node:util";
import { Loop, type Socket, serve } from "ringwire";

const { values } = parseArgs({
  options: {
    transport: { type: "string", default: "uring" },
    drive: { type: "string", default: "auto" },
  },
});

const subscribers = new Set<Socket>();
const server = await serve({
  port: 0,
  hostname: "127.0.0.1",
  loop: new Loop({
    transport: values.transport as "uring" | "native",
    drive: values.drive as "auto" | "spin",
  }),
  maxConnections: 100_000,
  websocket: {
    open: (ws) => void subscribers.add(ws),
    close: (ws) => void subscribers.delete(ws),
    message(_ws, data) {
      for (const subscriber of subscribers) subscriber.send(data);
    },
  },
});
console.log(`listening ${server.port}`);
