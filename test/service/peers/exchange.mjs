/**
 * An exchange in a Node process of its own, by the npm package ws: tells everybody the time of day, so to speak. Tests kill, stop and
 * unplug it. Prints its port. Arguments: host, port.
 */
import process from "node:process";
import { WebSocketServer } from "ws";

if (process.versions.bun || process.versions.deno)
  throw new Error("this peer is the real ws: run it with Node");

const [, , host, port] = process.argv;
const server = new WebSocketServer({ host, port: Number(port) });
let ticks = 0;
server.on("connection", (ws) => ws.on("error", () => undefined));
server.on("listening", () => console.log(`listening ${server.address().port}`));
setInterval(() => {
  ticks++;
  for (const ws of server.clients) ws.send(`tick ${ticks}`);
}, 20);
