/**
 * A server in a process of its own, for limits that would hurt the test's process: few descriptors, little memory. Arguments:
 * Ringwire's module, the scene, a transport.
 */
import process from "node:process";
import { pathToFileURL } from "node:url";

const [, , module, scene, transport] = process.argv;
const { Loop, connect, serve } = await import(pathToFileURL(module).href);

const place = { port: 0, hostname: "127.0.0.1" };

const SCENES = {
  /** Which transport it gets, why, and whether it works. */
  async which() {
    try {
      const loop = new Loop({ transport });
      console.log(`transport ${loop.transport}`);
      console.log(`reason ${loop.reason}`);
      const server = await serve({
        loop,
        ...place,
        websocket: { message: (ws, data) => void ws.send(data) },
      });
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
  /** Serves until the message "exit". */
  async serves() {
    const server = await serve({
      loop: new Loop({ transport }),
      ...place,
      websocket: {
        message(ws, data) {
          if (data === "exit") process.exit(0);
          ws.send(data);
        },
      },
    });
    // Deno opens a pipe for signals when it first needs one, and panics when there is no descriptor left for it.
    process.on("SIGHUP", () => process.exit(0));
    console.log(`listening ${server.port}`);
  },
};

await SCENES[scene]();
