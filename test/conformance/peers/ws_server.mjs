/**
 * The npm package ws as a server, in a Node process of its own: echoes, and does what the path asks for.
 * Prints its port. Arguments: files with a certificate and its key, for wss.
 */
import { readFileSync } from "node:fs";
import { createServer as createPlain } from "node:http";
import { createServer as createSecure } from "node:https";
import process from "node:process";
import { WebSocketServer } from "ws";

if (process.versions.bun || process.versions.deno)
  throw new Error("this peer is the real ws: run it with Node");

const [, , certFile, keyFile] = process.argv;
const http = certFile
  ? createSecure({ cert: readFileSync(certFile), key: readFileSync(keyFile) })
  : createPlain();
const server = new WebSocketServer({
  server: http,
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
http.listen(0, "127.0.0.1", () => console.log(http.address().port));
