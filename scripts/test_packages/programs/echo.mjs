/** A client and a server in one program, as a user would write it; says how long it took from the import to the echo. */
const beginMs = performance.now();
const { connect, serve } = await import("ringwire");
const server = await serve({
  port: 0,
  hostname: "127.0.0.1",
  websocket: { message: (ws, data) => void ws.send(`${data}, world`) },
});
const socket = await connect(server.url);
socket.send("hello");
let text = "";
let ms = 0;
for await (const message of socket) {
  ms = performance.now() - beginMs;
  text = message.text();
  socket.close();
}
const { transport, reason } = server.loop;
await server.stop();
console.log(JSON.stringify({ text, ms, transport, reason }));
