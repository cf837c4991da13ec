/**
 * The market-data server of market_feed.ts, in a process of its own: server and client then have a core each and
 * disturb each other no more than two programs do. It ends when its standard input does.
 *
 * Paths: /feed gets ticks: as many as its credit says ("credit 64"), or at a steady rate. /control starts and ends
 * the steady rate ("pace 50000", "pace 0") and tells our clock ("clock").
 */
import process from "node:process";
import { Loop, type Socket, serve } from "ringwire";

interface Feed {
  readonly isControl: boolean;
  readonly symbol: string;
  sequence: number;
  price: number;
}

const SYMBOLS = ["BTC-USD", "ETH-USD", "EUR-USD", "GBP-USD", "USD-JPY", "XAU-USD", "AAPL", "MSFT"];
/** A burst to all feeds begins this often in the steady phase. */
const BURST_MS = 2;
/** A feed with this much unsent misses a burst: it gets fewer ticks, but never a gap in their numbers. */
const SLOW_BYTES = 1 << 20;

const loop = new Loop({ transport: process.argv[2] as "auto" | "uring" | "native" });
const feeds = new Set<Socket<Feed>>();
let burstTimer: ReturnType<typeof setInterval> | undefined;

function sendTick(ws: Socket<Feed>, atMs: number): void {
  const feed = ws.data;
  // A pseudo-random walk: cheap, and different for each tick.
  feed.price += ((feed.sequence * 7919) % 21) - 10;
  const { price, symbol } = feed;
  ws.send(
    `{"type":"tick","symbol":"${symbol}","seq":${feed.sequence++},"bid":${price},"ask":${price + 2},"size":${(feed.sequence % 50) + 1},"at":${atMs}}`,
  );
}

/** `rate` ticks per second over all feeds, in bursts: one market event makes many quotes move. */
function pace(rate: number): void {
  clearInterval(burstTimer);
  if (rate === 0) return;
  const order = [...feeds];
  const burstTicks = (rate * BURST_MS) / 1_000;
  const beginMs = performance.now();
  let sent = 0;
  let next = 0;
  burstTimer = setInterval(() => {
    const nowMs = performance.now();
    const due = Math.floor(((nowMs - beginMs) * rate) / 1_000);
    while (sent < due) {
      // A burst counts from its beginning. One that comes late, because we were busy, counts from when it
      // was due: waiting must not make the figures better (coordinated omission).
      const dueMs = beginMs + (sent * 1_000) / rate;
      const atMs = nowMs - dueMs > 2 * BURST_MS ? dueMs : nowMs;
      for (let count = 0; count < burstTicks && sent < due; count++, sent++) {
        const ws = order[next++ % order.length];
        if (ws.bufferedAmount < SLOW_BYTES) sendTick(ws, atMs);
      }
    }
  }, BURST_MS);
}

const server = await serve<Feed>({
  loop,
  port: 0,
  hostname: "127.0.0.1",
  fetch(request, server) {
    const isControl = new URL(request.url).pathname === "/control";
    const symbol = SYMBOLS[feeds.size % SYMBOLS.length];
    if (server.upgrade(request, { data: { isControl, symbol, sequence: 0, price: 100_000 } }))
      return undefined;
    return new Response("This is a WebSocket feed\n", { status: 426 });
  },
  websocket: {
    open(ws) {
      if (!ws.data.isControl) feeds.add(ws);
    },
    message(ws, data) {
      const [word, amount] = String(data).split(" ");
      if (word === "credit") {
        const atMs = performance.now();
        // All of them leave in one send, at the end of the turn.
        for (let count = Number(amount); count > 0; count--) sendTick(ws, atMs);
      } else if (word === "clock") ws.send(String(performance.now()));
      else if (word === "pace") pace(Number(amount));
    },
    close(ws) {
      feeds.delete(ws);
    },
  },
});

console.log(JSON.stringify({ url: server.url, transport: loop.transport, reason: loop.reason }));
process.stdin.on("end", () => process.exit(0));
process.stdin.resume();
