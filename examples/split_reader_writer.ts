/** One task reads, another writes, on the same socket; neither waits for the other, and a slow peer makes only the writer wait. Ends by itself. */
import { connect, type Socket, serve } from "ringwire";

const COUNT = 10_000;
const FILLER = ".".repeat(1_000);

const server = await serve({
  port: 0,
  hostname: "127.0.0.1",
  websocket: { message: (ws, data) => void ws.send(data) },
});
const socket = await connect(server.url, { websocket: { maxBufferedBytes: 65_536, whenFull: "drop" } });

async function write(to: Socket): Promise<number> {
  let waits = 0;
  for (let number = 0; number < COUNT; number++) {
    while (to.send(`message ${number} ${FILLER}`) === "dropped") {
      waits++;
      await to.drained();
    }
  }
  return waits;
}

async function read(from: Socket): Promise<number> {
  let count = 0;
  for await (const message of from) {
    if (message.text() !== `message ${count++} ${FILLER}`) throw new Error("out of order");
    if (count === COUNT) from.close();
  }
  return count;
}

const [waits, count] = await Promise.all([write(socket), read(socket)]);
console.log(`read ${count} messages in order`);
console.log(waits > 0 ? "the writer had to wait" : "the writer never had to wait");
await server.stop();
