/** Sends orders over endpoints from outside of their handlers: `dispatch` runs a function where a connection is open. Ends by itself. */
import { type Endpoint, Service, serve } from "ringwire";

const venue = await serve({
  port: 0,
  hostname: "127.0.0.1",
  websocket: { message: (ws, order) => void ws.send(`filled ${order}`) },
});

interface Desk {
  readonly fills: string[];
  filled: () => void;
}

await using service = new Service<Desk>({ context: { fills: [], filled: () => undefined } });

/** Where orders go: resolved when the endpoint is open. */
function addVenue(name: string): Promise<Endpoint<Desk>> {
  return new Promise((resolve) => {
    service.add({
      url: `${venue.url}${name}`,
      websocket: {
        open: (ws) => resolve(ws.data),
        message(_ws, data, _isText, desk) {
          desk.fills.push(`${name}: ${data}`);
          desk.filled();
        },
      },
    });
  });
}

const [east, west] = [await addVenue("east"), await addVenue("west")];
const bothFilled = new Promise<void>((resolve) => {
  service.context.filled = () => {
    if (service.context.fills.length === 2) resolve();
  };
});
console.log(service.dispatch(east, (ws) => ws.send("buy 5 gold")));
console.log(service.dispatch(west, (ws) => ws.send("sell 5 gold")));
await bothFilled;
console.log(service.context.fills.sort().join("\n"));

await service.remove(west);
console.log(`left: ${[...service].map((endpoint) => new URL(endpoint.url).pathname).join(", ")}`);
await service.close();
await venue.stop();
