/** A CommonJS program. */
const { connect, serve, RingwireError } = require("ringwire");

async function main() {
  const server = await serve({
    port: 0,
    hostname: "127.0.0.1",
    websocket: { message: (ws, data) => void ws.send(data) },
  });
  const socket = await connect(server.url);
  socket.send("hello, world");
  let text = "";
  for await (const message of socket) {
    text = message.text();
    socket.close();
  }
  await server.stop();
  const isClass = new RingwireError("ERR_LIBRARY", "text") instanceof Error;
  console.log(
    JSON.stringify({ text, isClass, transport: server.loop.transport, reason: server.loop.reason }),
  );
}

main();
