/**
 * Small programs of their own, for what can only be seen from outside: whether a process ends by itself, what is
 * printed, which transport it gets. Arguments: Ringwire's module, the scene, a transport.
 */
import process from "node:process";
import { pathToFileURL } from "node:url";

const [, , module, scene, transport] = process.argv;
const { Loop, connect, serve } = await import(pathToFileURL(module).href);

const echo = { message: (ws, data) => void ws.send(data) };
const newLoop = (drive = "auto") => new Loop({ drive, ...(transport === undefined ? {} : { transport }) });
const place = { port: 0, hostname: "127.0.0.1" };

const SCENES = {
  /** A client and a server that both close: the process must end by itself. */
  async closes() {
    const loop = newLoop();
    const server = await serve({ loop, ...place, websocket: echo });
    const socket = await connect(server.url, { loop });
    socket.send("hello");
    for await (const message of socket) {
      console.log(`echo ${message.text()}`);
      break;
    }
    socket.close();
    await socket.closed;
    await server.stop();
    console.log("done");
  },
  /** A server alone keeps its process alive. */
  async stays() {
    const server = await serve({ loop: newLoop(), ...place, websocket: echo });
    console.log(`listening ${server.port}`);
  },
  /** An open client keeps its process alive, and a deadline of seconds ends it. */
  async failsConnecting() {
    try {
      await connect("ws://127.0.0.1:1/", { loop: newLoop() });
    } catch (error) {
      console.log(`${error.name} ${error.code}`);
    }
  },
  /** A handler that answers and ends the process at once, in the way that it is told. */
  async exits() {
    const server = await serve({
      loop: newLoop(),
      ...place,
      websocket: {
        message(ws, data) {
          ws.send("goodbye");
          if (data === "Deno.exit") globalThis.Deno.exit(3);
          process.exit(3);
        },
      },
    });
    console.log(`listening ${server.port}`);
  },
  /** What its own listener for the end of the process sends, which was registered after the loop's; in a handler or outside of all. */
  async exitsLate() {
    const server = await serve({
      loop: newLoop(),
      ...place,
      websocket: {
        message(ws, data) {
          process.on("exit", () => {
            for (let count = 0; count < 20; count++) ws.send(`${count}`.padEnd(3_000));
            ws.close(4000, "late");
          });
          if (data === "in a handler") process.exit(3);
          setTimeout(() => process.exit(3), 1);
        },
      },
    });
    console.log(`listening ${server.port}`);
  },
  /** A handler's rejection must not kill the process. */
  async survivesHandlers() {
    const loop = newLoop();
    const server = await serve({
      loop,
      ...place,
      websocket: {
        open: () => Promise.reject(new Error("thrown on purpose")),
        message() {
          throw new Error("thrown on purpose");
        },
      },
    });
    const socket = await connect(server.url, { loop });
    const end = await socket.closed;
    console.log(`closed ${end.code}`);
    await server.stop();
  },
  /** Which transport it gets, and why. */
  async which() {
    try {
      const loop = newLoop();
      console.log(`transport ${loop.transport}`);
      console.log(`reason ${loop.reason}`);
      const server = await serve({ loop, ...place, websocket: echo });
      const socket = await connect(server.url, { loop });
      socket.send("hello");
      for await (const message of socket) {
        console.log(`echo ${message.text()}`);
        break;
      }
      socket.terminate();
      await server.stop({ graceMs: 0 });
      loop.close();
    } catch (error) {
      console.log(`${error.name} ${error.code} ${error.message}`);
    }
  },
  /** A loop that blocks its thread: client and server on it, until a handler stops it. */
  async runs() {
    const loop = newLoop("run");
    let echoes = 0;
    const server = await serve({ loop, ...place, websocket: echo });
    let pinged = 0;
    const opening = connect(server.url, {
      loop,
      websocket: {
        pingIntervalMs: 40,
        open: (ws) => void ws.send("0"),
        message(ws, data) {
          echoes++;
          if (echoes < 100) ws.send(`${Number(data) + 1}`);
        },
        // The deadlines of the loop go on while it blocks.
        pong(ws) {
          if (++pinged === 2) {
            console.log(`run ${echoes} echoes, ${pinged} pongs`);
            ws.terminate();
            loop.stop();
          }
        },
      },
    });
    loop.run();
    await opening;
    await server.stop({ graceMs: 0 }).catch(() => undefined);
  },
};

if (scene === "runs") {
  // `stop` needs turns of a loop that nobody drives any more: leave like a Worker does.
  await Promise.race([SCENES.runs(), new Promise((resolve) => setTimeout(resolve, 500))]);
  process.exit(0);
}
await SCENES[scene]();
