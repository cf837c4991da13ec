/**
 * Two kinds of endpoints in one service: each is an object of a class of its own, which says where it connects to and what it makes of
 * messages. What is private to it begins with "#". Ends by itself.
 */
import { type EndpointHandlers, type EndpointOptions, Service, type Socket, serve } from "ringwire";

interface Desk {
  readonly lines: string[];
  done: () => void;
}

/** Trades: says which symbol it wants, and counts. */
class TradeFeed implements EndpointOptions<Desk> {
  readonly url: string;
  readonly #symbol: string;
  #trades = 0;
  readonly websocket: EndpointHandlers<Desk> = {
    open: (ws) => void ws.send(this.#symbol),
    message: (_ws, data, _isText, desk) => {
      desk.lines.push(`trade ${++this.#trades} of ${this.#symbol}: ${data}`);
      desk.done();
    },
  };

  constructor(url: string, symbol: string) {
    this.url = `${url}trades`;
    this.#symbol = symbol;
  }
}

/** The clock: asks for nothing, and comes back only when it was not told to leave. */
class Clock implements EndpointOptions<Desk> {
  readonly url: string;
  readonly websocket: EndpointHandlers<Desk> = {
    message: (_ws, data, _isText, desk) => {
      desk.lines.push(`clock: ${data}`);
      desk.done();
    },
  };

  constructor(url: string) {
    this.url = `${url}clock`;
  }

  canRecreate(reason: { readonly close: { readonly code: number } | undefined }): boolean {
    return reason.close?.code !== 1008;
  }
}

function tellTime(ws: Socket<string>): void {
  if (ws.data === "/clock") ws.send("12:00");
}

const server = await serve<string>({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request, self) {
    const { pathname } = new URL(request.url);
    return self.upgrade(request, { data: pathname }) ? undefined : new Response(null, { status: 400 });
  },
  websocket: {
    open: tellTime,
    message: (ws, symbol) => void ws.send(symbol === "gold" ? "100" : "20"),
  },
});

await using service = new Service<Desk>({ context: { lines: [], done: () => undefined } });
await new Promise<void>((resolve) => {
  service.context.done = () => {
    if (service.context.lines.length === 3) resolve();
  };
  for (const endpoint of [
    new TradeFeed(server.url, "gold"),
    new TradeFeed(server.url, "silver"),
    new Clock(server.url),
  ]) {
    service.add(endpoint);
  }
});
console.log(service.context.lines.sort().join("\n"));
await service.close();
await server.stop();
