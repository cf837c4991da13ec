/**
 * Peer: Deno's own WebSocket server as an echo. Deno offers no option for limits, and never compresses. Options: --cert FILE --key
 * FILE for TLS.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

// Typed by hand: Deno's declarations and Bun's contradict each other in one program.
interface DenoNamespace {
  serve(
    options: {
      port: number;
      hostname: string;
      cert?: string;
      key?: string;
      onListen: (address: { port: number }) => void;
    },
    handler: (request: Request) => Response,
  ): unknown;
  upgradeWebSocket(
    request: Request,
    options: { idleTimeout: number },
  ): { socket: WebSocket; response: Response };
}
const deno = (globalThis as unknown as { Deno: DenoNamespace }).Deno;

const { values } = parseArgs({ options: { cert: { type: "string" }, key: { type: "string" } } });
const { cert, key } = values;
const tls = cert && key ? { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") } : {};

deno.serve(
  { port: 0, hostname: "127.0.0.1", ...tls, onListen: ({ port }) => console.log(`listening ${port}`) },
  (request) => {
    const { socket, response } = deno.upgradeWebSocket(request, { idleTimeout: 0 });
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event) => socket.send(event.data);
    return response;
  },
);
