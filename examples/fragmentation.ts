/**
 * Fragments: a large message leaves in pieces, and arrives as the one message it is, within limits. Ends by itself.
 *
 * Between the fragments of a message the peer can still be pinged and answered (RFC 6455 §5.4); with one frame of 1 MiB it could not.
 */
import { connect, serve } from "ringwire";

const server = await serve({
  port: 0,
  hostname: "127.0.0.1",
  websocket: {
    // Whatever comes in pieces is put together, up to so much, so many, and within that time.
    maxMessageBytes: 1 << 20,
    maxFragments: 64,
    messageTimeoutMs: 5_000,
    message(ws, data) {
      console.log(`server: one message of ${data.length} bytes`);
      ws.send(`${data.length} bytes`);
    },
    error: (_ws, error) => console.log(`server: ${error.code}`),
  },
});

const large = new Uint8Array(1 << 20).fill(7);

/** Sends a message in fragments of some size, and tells what came of it. */
async function sendIn(fragmentBytes: number, bytes: Uint8Array): Promise<void> {
  const socket = await connect(server.url, { websocket: { fragmentBytes } });
  socket.send(bytes);
  for await (const message of socket) {
    console.log(`client: it took ${message.text()}`);
    socket.close();
  }
  console.log(`client: closed with ${(await socket.closed).code}`);
}

console.log("16 fragments of 64 KiB");
await sendIn(65_536, large);

console.log("1,024 fragments of 1 KiB");
await sendIn(1_024, large);

await server.stop();
server.loop.close();
