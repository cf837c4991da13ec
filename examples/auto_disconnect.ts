/**
 * A venue that cuts every connection after a while, and a client that is faster: when `ttlMs` is over the next connection is opened before
 * the old one is closed, unless an order is under way. No number is missed. Ends by itself.
 */
import { Service, serve } from "ringwire";

let number = 0;
const server = await serve({
  port: 0,
  hostname: "127.0.0.1",
  websocket: { open: (ws) => void ws.send("hello") },
});
await using service = new Service();

let postponed = 0;
await new Promise<void>((resolve) => {
  service.add({
    url: server.url,
    ttlMs: 100,
    canAutoDisconnect() {
      const isOrderUnderWay = number === 1 && postponed === 0;
      if (isOrderUnderWay) postponed++;
      return !isOrderUnderWay;
    },
    websocket: {
      open: () => console.log(`connection ${++number} is open`),
      message: () => undefined,
    },
    gap: () => console.log("a gap, which there should not be"),
    closed(reason, _context, endpoint) {
      console.log(`one is closed: ${reason.kind}; the endpoint is ${endpoint.state}`);
      if (endpoint.reconnects === 2) resolve();
    },
  });
});
console.log(`postponed ${postponed} time`);
await service.close();
await server.stop();
