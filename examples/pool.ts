/** Twelve questions at once over a pool of three connections, of which one dies on the way. Ends by itself. */
import { type Socket, serve } from "ringwire";
import { Pool } from "ringwire/pool";

const server = await serve({
  port: 0,
  hostname: "127.0.0.1",
  websocket: {
    message(ws, question) {
      // What a pool has to live with.
      if (question === "5 squared?") ws.terminate();
      else ws.send(String(Number.parseInt(String(question), 10) ** 2));
    },
  },
});
await using pool = new Pool({ max: 3 });

async function firstMessage(socket: Socket): Promise<string> {
  for await (const message of socket) return message.text();
  return "no answer";
}

async function ask(number: number): Promise<string> {
  using lease = await pool.acquire(server.url);
  lease.socket.send(`${number} squared?`);
  // Awaited here: the lease ends with this function.
  return await firstMessage(lease.socket).catch(() => "the connection died");
}

const answers = await Promise.all(Array.from({ length: 12 }, (_, index) => ask(index)));
answers.forEach((answer, index) => {
  console.log(`${index} squared? ${answer}`);
});
const { acquired, opened } = pool.stats;
console.log(`${acquired} leases over ${opened} connections`);
await pool.close();
await server.stop();
