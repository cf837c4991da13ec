/**
 * The npm package ws as a client, in a Node process of its own: plays the scene named after the URL against a
 * server of ours that echoes, and prints what it saw as one line of JSON. Arguments: URL, scene, and for wss the file of
 * the root to trust.
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import WebSocket from "ws";

if (process.versions.bun || process.versions.deno)
  throw new Error("this peer is the real ws: run it with Node");

const [url, scene, caFile] = process.argv.slice(2);
const seen = [];
const ws = new WebSocket(url, scene === "protocols" ? ["a", "b"] : [], {
  maxPayload: 32 << 20,
  ...(caFile ? { ca: readFileSync(caFile) } : {}),
});
const digest = (data) => `${data.length} ${data.reduce((sum, byte) => (sum * 31 + byte) % 1_000_003, 7)}`;
const pattern = (size) => Uint8Array.from({ length: size }, (_, index) => (index * 7) & 0xff);

const SCENES = {
  echo() {
    const sizes = [0, 1, 125, 126, 65_535, 65_536, 200_000];
    for (const size of sizes) ws.send(pattern(size));
    ws.send("text é☃𝄞");
    ws.on("message", (data, isBinary) => {
      seen.push(isBinary ? digest(data) === digest(pattern(data.length)) : String(data));
      if (seen.length === sizes.length + 1) ws.close(1000);
    });
  },
  huge() {
    ws.send(Buffer.alloc(16 << 20, 7));
    ws.on("message", (data) => {
      seen.push(
        data.length,
        data.every((byte) => byte === 7),
      );
      ws.close(1000);
    });
  },
  fragments() {
    for (const part of ["frag", "", "ments ☃"]) ws.send(part, { fin: false });
    ws.ping("between");
    ws.send("", { fin: true });
    ws.on("pong", (data) => seen.push(`pong ${data}`));
    ws.on("message", (data) => {
      seen.push(String(data));
      ws.close(1000);
    });
  },
  closes() {
    ws.close(3456, "said by ws");
  },
  protocols() {
    seen.push(ws.protocol);
    ws.close(1000);
  },
  flood() {
    let count = 0;
    for (let index = 0; index < 20_000; index++) ws.send(`message ${index}`);
    ws.on("message", (data) => {
      if (String(data) !== `message ${count}`) seen.push(`wrong at ${count}`);
      if (++count === 20_000) ws.close(1000);
    });
  },
};

ws.on("open", SCENES[scene]);
ws.on("error", (error) => seen.push(`error ${error.message}`));
ws.on("close", (code, reason) => {
  seen.push(code, String(reason));
  console.log(JSON.stringify(seen));
});
