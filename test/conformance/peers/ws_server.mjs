/**
 * The npm package ws as a server, in a Node process of its own: echoes, and does what the path asks for.
 * Prints its port.
 */
import process from "node:process";
import { WebSocketServer } from "ws";

if (process.versions.bun || process.versions.deno)
  throw new Error("this peer is the real ws: run it with Node");

const server = new WebSocketServer({
  port: 0,
  host: "127.0.0.1",
  maxPayload: 32 << 20,
  perMessageDeflate: true,
  handleProtocols: (protocols) => [...protocols].at(-1),
});

server.on("connection", (ws, request) => {
  ws.on("error", () => undefined);
  ws.on("message", (data, isBinary) => ws.send(data, { binary: isBinary }));
  switch (request.url) {
    case "/fragments":
      for (const part of ["frag", "", "ments ☃ ", "of text"]) ws.send(part, { fin: false });
      ws.ping("between");
      ws.send("", { fin: true });
      break;
    case "/close":
      ws.close(3456, "said by ws");
      break;
    case "/pings":
      ws.on("pong", (data) => ws.send(`pong ${data}`));
      ws.ping("ping by ws");
      break;
    case "/terminate":
      ws.terminate();
      break;
    case "/headers":
      ws.send(JSON.stringify(request.headers));
      break;
  }
});
server.on("listening", () => console.log(server.address().port));
