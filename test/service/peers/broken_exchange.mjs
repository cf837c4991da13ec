/**
 * An exchange in a Node process of its own that breaks most connections in every way there is, until its standard input says "calm".
 * The path of a connection is the key of its numbers; who comes gets the last few again. Prints its port. Arguments: port, seed.
 */
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import process from "node:process";
import { WebSocketServer } from "ws";

if (process.versions.bun || process.versions.deno)
  throw new Error("this peer is the real ws: run it with Node");

const TICK_MS = 10;
const [, , port, seed] = process.argv;
let state = Number(seed);
/** From 0 to 1. */
function random() {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
}

const http = createHttpServer();
const sockets = new WebSocketServer({ server: http });
/** By the clock: they go on where the last exchange was killed. */
const latest = () => Math.floor(Date.now() / TICK_MS);
const send = (ws, number) => ws.send(`${ws.key} ${number}`);

/** What may become of a connection that has opened. */
const LATER = {
  stands: () => undefined,
  resets: (_ws, socket) => socket.resetAndDestroy(),
  hangsUp: (ws) => ws.terminate(),
  closes: (ws) => ws.close(1012, "restarting"),
  garbles: (_ws, socket) => socket.write(Buffer.from([0xff, 0xff, 0xff])),
  /** Reads nothing and says nothing any more. */
  freezes(ws, socket) {
    socket.pause();
    ws.key = undefined;
  },
};
/** What may happen instead of a handshake. */
const FIRST = {
  hangs: () => undefined,
  resets: (socket) => socket.resetAndDestroy(),
  mutters: (socket) => socket.write("220 mail.example ESMTP\r\n"),
  refuses: (socket) => socket.end("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"),
};
const oneOf = (fates) => Object.values(fates)[Math.floor(random() * Object.keys(fates).length)];

let isCalm = false;

const server = createServer((socket) => {
  socket.on("error", () => undefined);
  if (!isCalm && random() < 0.3) oneOf(FIRST)(socket);
  else http.emit("connection", socket);
});
sockets.on("connection", (ws, request) => {
  ws.on("error", () => undefined);
  ws.key = request.url;
  for (let number = latest() - 3; number <= latest(); number++) send(ws, number);
  if (isCalm) return;
  setTimeout(() => {
    if (!isCalm && ws.readyState === ws.OPEN) oneOf(LATER)(ws, request.socket);
  }, random() * 150);
});

let told = latest();
setInterval(() => {
  for (; told < latest(); told++) {
    for (const ws of sockets.clients) if (ws.key !== undefined) send(ws, told + 1);
  }
}, TICK_MS);
process.stdin.on("data", () => {
  isCalm = true;
});
server.listen(Number(port), "127.0.0.1", 1_024, () => console.log(`listening ${server.address().port}`));
