/** Sends a few messages and prints what comes back. Options: a URL (default: a server of its own). */
import process from "node:process";
import { connect, RingwireError, serve } from "ringwire";

const own =
  process.argv[2] === undefined
    ? await serve({
        port: 0,
        hostname: "127.0.0.1",
        websocket: { message: (ws, data) => void ws.send(data) },
      })
    : undefined;
const url = own?.url ?? process.argv[2];

try {
  const socket = await connect(url, { signal: AbortSignal.timeout(5_000) });
  const words = ["hello", "ring", "wire"];
  for (const word of words) socket.send(word);
  let answers = 0;
  for await (const message of socket) {
    console.log(message.text());
    // After close() the loop ends by itself.
    if (++answers === words.length) socket.close();
  }
  const { code, wasClean } = await socket.closed;
  console.log(`closed with ${code}, ${wasClean ? "cleanly" : "not cleanly"}`);
} catch (error) {
  if (!(error instanceof RingwireError)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
}
await own?.stop();
