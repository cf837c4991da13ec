/** Fifty connections in one service, which share a context. One thread, one loop, connected at once. Ends by itself. */
import { Service, serve } from "ringwire";

const CONNECTIONS = 50;
const SYMBOLS = ["gold", "silver", "copper"];

const server = await serve({
  port: 0,
  hostname: "127.0.0.1",
  websocket: {
    message(ws, symbol) {
      for (let price = 100; price < 110; price++) ws.send(`${symbol} ${price}`);
    },
  },
});

const service = new Service({ context: { latest: new Map<string, number>(), messages: 0 } });
const { context } = service;
await new Promise<void>((resolve) => {
  for (let index = 0; index < CONNECTIONS; index++) {
    service.add({
      url: server.url,
      websocket: {
        open: (ws) => void ws.send(SYMBOLS[index % SYMBOLS.length]),
        message(_ws, data, _isText, { latest }) {
          const [symbol, price] = String(data).split(" ");
          latest.set(symbol, Number(price));
          if (++context.messages === CONNECTIONS * 10) resolve();
        },
      },
    });
  }
});
console.log(`${service.size} endpoints, ${context.messages} messages`);
for (const symbol of SYMBOLS) console.log(`${symbol} ${context.latest.get(symbol)}`);
await service.close();
await server.stop();
