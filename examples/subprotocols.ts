/**
 * Subprotocols: a client offers what it speaks, the preferred one first, and the server picks one, by a list or by looking at the request. Ends
 * by itself.
 */
import { connect, RingwireError, serve } from "ringwire";

/** By a list: the client's preference decides among what both speak. */
const listed = await serve({
  port: 0,
  hostname: "127.0.0.1",
  protocols: ["v1.json", "v2.json"],
  websocket: {
    open: (ws) => void ws.send(ws.protocol === "v2.json" ? '{"version":2}' : '{"v":1}'),
  },
});

/** By hand: guests get the old one, whatever they prefer. */
const chosen = await serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request, server) {
    const isGuest = request.headers.get("authorization") === null;
    if (server.upgrade(request, { protocol: isGuest ? "v1.json" : "v2.json" })) return undefined;
    return new Response(null, { status: 400 });
  },
  websocket: {},
});

async function offer(url: string, protocols: readonly string[], headers = {}): Promise<string> {
  try {
    const socket = await connect(url, { protocols, headers });
    const { protocol } = socket;
    socket.close();
    return protocol;
  } catch (error) {
    if (!(error instanceof RingwireError)) throw error;
    return `${error.code} with ${error.status}`;
  }
}

console.log(`both: ${await offer(listed.url, ["v2.json", "v1.json"])}`);
console.log(`the old one: ${await offer(listed.url, ["v1.json"])}`);
console.log(`one that nobody speaks: ${await offer(listed.url, ["v3.json"])}`);
console.log(`a guest: ${await offer(chosen.url, ["v2.json", "v1.json"])}`);
console.log(
  `a member: ${await offer(chosen.url, ["v2.json", "v1.json"], { authorization: "Bearer token" })}`,
);

await listed.stop();
await chosen.stop();
