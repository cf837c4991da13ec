/**
 * Peer: Deno's own WebSocket server as an echo. Deno offers no option for limits, and never compresses.
 */
// Typed by hand: Deno's declarations and Bun's contradict each other in one program.
interface DenoNamespace {
  serve(
    options: { port: number; hostname: string; onListen: (address: { port: number }) => void },
    handler: (request: Request) => Response,
  ): unknown;
  upgradeWebSocket(
    request: Request,
    options: { idleTimeout: number },
  ): { socket: WebSocket; response: Response };
}
const deno = (globalThis as unknown as { Deno: DenoNamespace }).Deno;

deno.serve(
  { port: 0, hostname: "127.0.0.1", onListen: ({ port }) => console.log(`listening ${port}`) },
  (request) => {
    const { socket, response } = deno.upgradeWebSocket(request, { idleTimeout: 0 });
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event) => socket.send(event.data);
    return response;
  },
);
