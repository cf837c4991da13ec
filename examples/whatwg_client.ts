/**
 * The WebSocket class of browsers: what was written for it runs over io_uring by changing one import. Options: a URL
 * (default: a server of its own).
 */
import process from "node:process";
import { serve, WebSocket } from "ringwire";

const own =
  process.argv[2] === undefined
    ? await serve({
        port: 0,
        hostname: "127.0.0.1",
        websocket: { message: (ws, data) => void ws.send(data) },
      })
    : undefined;

const ws = new WebSocket(own?.url ?? process.argv[2]);
ws.binaryType = "arraybuffer";
ws.addEventListener("open", () => {
  ws.send("as in a browser");
  ws.send(new Uint8Array([1, 2, 3]));
});
ws.addEventListener("message", ({ data }) => {
  if (typeof data === "string") {
    console.log(`text: ${data}`);
  } else {
    console.log(`binary: ${new Uint8Array(data as ArrayBuffer).join(" ")}`);
    ws.close(1000, "done");
  }
});
ws.addEventListener("error", () => {
  console.error(`Cannot talk to ${ws.url}`);
  process.exitCode = 1;
});
await new Promise<void>((resolve) => {
  ws.onclose = (event) => {
    console.log(`closed with ${event.code} ${event.reason}`);
    resolve();
  };
});
await own?.stop();
