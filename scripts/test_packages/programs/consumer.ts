/** A TypeScript program: what users see of the types has to hold together under every kind of module resolution. */
import {
  type ConnectOptions,
  connect,
  Loop,
  type Message,
  RingwireError,
  type Server,
  serve,
} from "ringwire";

interface User {
  readonly name: string;
}

async function main(): Promise<void> {
  const server: Server<User> = await serve<User>({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request, self) {
      return self.upgrade(request, { data: { name: "ada" } })
        ? undefined
        : new Response(null, { status: 400 });
    },
    websocket: {
      message(ws, data) {
        const name: string = ws.data.name;
        ws.send(typeof data === "string" ? `${name}: ${data}` : data);
      },
    },
  });
  const loop = new Loop({ drive: "auto" });
  const options: ConnectOptions<undefined> = { loop, headers: { "x-test": "1" } };
  const socket = await connect(server.url, options);
  socket.send("hello");
  const texts: string[] = [];
  for await (const message of socket) {
    const whole: Message = message;
    texts.push(whole.text());
    socket.close();
  }
  await server.stop();
  loop.close();
  console.log(JSON.stringify({ text: texts[0], transport: loop.transport, reason: loop.reason }));
}

main().catch((error: unknown) => {
  console.error(error instanceof RingwireError ? error.code : error);
});
