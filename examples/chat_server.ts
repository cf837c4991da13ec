/**
 * A chat room: what one says, everybody hears. Options: a port (default 3000). Try it with two terminals:
 *
 *     ringwire connect 'ws://127.0.0.1:3000/?name=ada'
 *
 * Ctrl-C ends it.
 */
import process from "node:process";
import { type Server, type Socket, serve } from "ringwire";

interface Guest {
  readonly name: string;
}

function broadcast(server: Server<Guest>, text: string, except?: Socket<Guest>): void {
  for (const ws of server.sockets()) {
    // Who is too slow misses a line ("dropped"), and holds nobody else up.
    if (ws !== except) ws.send(text);
  }
}

const server: Server<Guest> = await serve<Guest>({
  port: Number(process.argv[2] ?? 3000),
  hostname: "127.0.0.1",
  fetch(request, server) {
    const name = new URL(request.url).searchParams.get("name") ?? "";
    if (!/^\w{1,20}$/.test(name)) {
      return new Response("Choose a name of 1 to 20 letters: ?name=ada\n", { status: 400 });
    }
    if (server.upgrade(request, { data: { name } })) return undefined;
    return new Response("This is a chat over WebSocket\n", { status: 426 });
  },
  websocket: {
    maxMessageBytes: 4_096,
    // A guest who reads nothing may keep this much waiting.
    maxBufferedBytes: 256 * 1_024,
    open(ws) {
      ws.send(`welcome, ${ws.data.name}; you are one of ${server.connections}`);
      broadcast(server, `${ws.data.name} has come`, ws);
    },
    message(ws, data) {
      broadcast(server, `${ws.data.name}: ${data}`, ws);
    },
    close(ws) {
      broadcast(server, `${ws.data.name} has left`, ws);
    },
  },
});
console.log(`chat on ${server.url}?name=YOURS over ${server.loop.transport}`);

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, async () => {
    await server.stop();
    server.loop.close();
  });
}
