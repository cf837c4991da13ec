/**
 * Peer: Deno's own WebSocket server sending each message to all its sockets, one after the other: it has no publish.
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

const subscribers = new Set<WebSocket>();
deno.serve(
  { port: 0, hostname: "127.0.0.1", onListen: ({ port }) => console.log(`listening ${port}`) },
  (request) => {
    const { socket, response } = deno.upgradeWebSocket(request, { idleTimeout: 0 });
    socket.binaryType = "arraybuffer";
    socket.onopen = () => void subscribers.add(socket);
    socket.onclose = () => void subscribers.delete(socket);
    socket.onmessage = (event) => {
      for (const subscriber of subscribers) subscriber.send(event.data);
    };
    return response;
  },
);
