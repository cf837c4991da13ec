/** A server that sends every message back. Options: a port (default 3000). Ctrl-C closes all connections and ends it. */
import process from "node:process";
import { serve } from "ringwire";

const server = await serve({
  port: Number(process.argv[2] ?? 3000),
  hostname: "127.0.0.1",
  websocket: {
    message(ws, data) {
      // "queued": the client sends faster than it reads. It gets its answers, but is not read from until it does.
      if (ws.send(data) !== "sent") ws.pause();
    },
    drain(ws) {
      ws.resume();
    },
  },
});
console.log(`listening on ${server.url} over ${server.loop.transport} (${server.loop.reason})`);

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, async () => {
    await server.stop();
    server.loop.close();
  });
}
