/**
 * The npm package ws with permessage-deflate, in a Node process of its own.
 *
 * `server`: echoes, with the options of ws that the URL's path names as escaped JSON; prints its port.
 * `client JOBS`: for each { url, options } sends texts and bytes of many sizes twice over one connection, and prints what
 * it saw as one line of JSON: the extensions agreed on and how many echoes were wrong.
 */
import process from "node:process";
import WebSocket, { WebSocketServer } from "ws";

if (process.versions.bun || process.versions.deno)
  throw new Error("this peer is the real ws: run it with Node");

const SIZES = [0, 1, 9, 10, 11, 99, 100, 101, 1_000, 1_024, 70_000, 300_000];
const MAX_PAYLOAD = 32 << 20;

/** Alike from message to message, as market data is, but never equal. */
function text(size, salt) {
  let made = "";
  for (let count = 0; made.length < size; count++) made += `{"symbol":"RW${salt}","price":${count * salt}},`;
  return made.slice(0, size);
}

/** Hardly compressible. */
function noise(size, salt) {
  let state = salt;
  const made = Buffer.alloc(size);
  for (let index = 0; index < size; index++) {
    state = (state * 48_271) % 2_147_483_647;
    made[index] = state;
  }
  return made;
}

function serve() {
  const servers = new Map();
  const listening = new WebSocketServer({
    port: 0,
    host: "127.0.0.1",
    noServer: false,
    perMessageDeflate: false,
  });
  // Only the upgrade is ours: the listening server's own is replaced.
  const { _server: http } = listening;
  http.removeAllListeners("upgrade");
  http.on("upgrade", (request, socket, head) => {
    const options = decodeURIComponent(request.url.slice(1));
    if (!servers.has(options)) {
      const perMessageDeflate = options === "" ? true : JSON.parse(options);
      servers.set(
        options,
        new WebSocketServer({ noServer: true, perMessageDeflate, maxPayload: MAX_PAYLOAD }),
      );
    }
    servers.get(options).handleUpgrade(request, socket, head, (ws) => {
      ws.on("error", () => undefined);
      ws.on("message", (data, isBinary) => ws.send(data, { binary: isBinary }));
    });
  });
  listening.on("listening", () => console.log(listening.address().port));
}

function play({ url, options }) {
  return new Promise((resolve) => {
    const ws = new WebSocket(url, { perMessageDeflate: options, maxPayload: MAX_PAYLOAD });
    const sent = [];
    for (let salt = 1; salt <= 2; salt++)
      for (const size of SIZES) sent.push(text(size, salt), noise(size, salt));
    const seen = { extensions: undefined, echoes: 0, wrong: 0, error: undefined };
    ws.on("open", () => {
      seen.extensions = ws.extensions;
      for (const data of sent) ws.send(data);
    });
    ws.on("message", (data, isBinary) => {
      const wanted = sent[seen.echoes++];
      if (isBinary !== (typeof wanted !== "string") || !data.equals(Buffer.from(wanted))) seen.wrong++;
      if (seen.echoes === sent.length) ws.close(1000);
    });
    ws.on("error", (error) => {
      seen.error = error.message;
    });
    ws.on("close", (code) => resolve({ ...seen, sent: sent.length, code }));
  });
}

const [role, jobs] = process.argv.slice(2);
if (role === "server") serve();
else {
  const seen = [];
  for (const job of JSON.parse(jobs)) seen.push(await play(job));
  console.log(JSON.stringify(seen));
}
