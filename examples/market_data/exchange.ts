/**
 * The simulated exchange of market_data.ts, in a process of its own. It ends when its standard input does.
 *
 * /line/A, /line/B   WebSockets with the same messages; both lines break at random, independently
 * /snapshot?symbol=S a whole book, up to 80 ms old
 * /halt              heals the lines, publishes nothing more, tells where everything stands and what went wrong
 *
 * Arguments: transport, messages per second, mean milliseconds between faults of a line (0: none), seed.
 */
import process from "node:process";
import { Loop, serve } from "ringwire";
import { BrokenLine } from "./broken_line.ts";
import { Market } from "./market.ts";
import { randomFrom } from "./random.ts";

const SYMBOLS = ["BTC-USD", "ETH-USD", "SOL-USD", "XRP-USD", "EUR-USD", "GBP-USD", "AAPL", "MSFT"];
const STEP_MS = 2;
const SNAPSHOT_DELAY_MS = 30;

const [transport, rate, faultMs, seed] = process.argv.slice(2);
const random = randomFrom(Number(seed));
const market = new Market(SYMBOLS, randomFrom(Number(seed) + 1));
const lines = ["A", "B"].map(
  (name, index) => new BrokenLine(name, Number(faultMs), randomFrom(Number(seed) + 2 + index)),
);
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const beginMs = performance.now();
let published = 0;
const publishing = setInterval(() => {
  const due = ((performance.now() - beginMs) * Number(rate)) / 1_000;
  for (; published < due; published++) {
    const text = JSON.stringify(market.step());
    for (const line of lines) line.publish(text);
  }
  for (const line of lines) line.tick();
}, STEP_MS);

function halt(): Response {
  clearInterval(publishing);
  for (const line of lines) line.heal();
  const faults = lines.map(({ name, faults }) => ({ name, faults: Object.fromEntries(faults) }));
  return Response.json({ published, faults, symbols: market.closing() });
}

async function snapshot(symbol: string): Promise<Response> {
  const book = market.snapshot(symbol);
  if (book === undefined) return new Response("no such symbol\n", { status: 404 });
  await sleep(random() * SNAPSHOT_DELAY_MS);
  return Response.json(book);
}

const server = await serve<BrokenLine>({
  loop: new Loop({ transport: transport as "auto" | "uring" | "native" }),
  port: 0,
  hostname: "127.0.0.1",
  fetch(request, server) {
    const url = new URL(request.url);
    if (url.pathname === "/halt") return halt();
    if (url.pathname === "/snapshot") return snapshot(url.searchParams.get("symbol") ?? "");
    const line = lines.find(({ name }) => url.pathname === `/line/${name}`);
    if (line === undefined) return new Response("no such line\n", { status: 404 });
    if (line.isRefusing) return new Response("come back later\n", { status: 503 });
    if (server.upgrade(request, { data: line })) return undefined;
    return new Response("this is a WebSocket\n", { status: 426 });
  },
  websocket: {
    open: (ws) => ws.data.add(ws),
    close: (ws) => ws.data.remove(ws),
  },
});

console.log(JSON.stringify({ url: server.url, symbols: SYMBOLS }));
process.stdin.on("end", () => process.exit(0));
process.stdin.resume();
