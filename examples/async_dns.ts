/**
 * Asks a directory where to connect, anew for each attempt, and has the name in its answer resolved anew: all addresses are tried
 * (RFC 8305), and whoever moves is found again. Ends by itself.
 */
import { Service, serve } from "ringwire";

/** Two places; the first one shuts. */
const first = await serve({
  port: 0,
  hostname: "127.0.0.1",
  websocket: { open: (ws) => void ws.send("first") },
});
const second = await serve({
  port: 0,
  hostname: "127.0.0.1",
  websocket: { open: (ws) => void ws.send("second") },
});

let current = first;
async function lookUp(): Promise<string> {
  // A real one would ask a service over the network.
  await Promise.resolve();
  return `ws://localhost:${current.port}/`;
}

await using service = new Service();
await new Promise<void>((resolve) => {
  service.add({
    url: lookUp,
    websocket: {
      async message(_ws, place) {
        console.log(`connected to the ${place} place`);
        if (place === "second") resolve();
        current = second;
        await first.stop();
      },
    },
    closed: (reason) => console.log(`${reason.kind} with ${reason.close?.code}`),
    gap: ({ attempts }) => console.log(`found it again after ${attempts} attempt`),
  });
});
await service.close();
await second.stop();
