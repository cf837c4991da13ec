/**
 * Rate limits: of what strangers send, of what we send, and of anything else. Ends by itself.
 *
 * A venue closes the connection of whoever sends more than 20 messages a second, and takes 2 connections a second from one address. Our client
 * paces its messages, so it never notices; another one does not, and does.
 */
import { connect, RingwireError, serve } from "ringwire";
import { RateLimiter } from "ringwire/limit";

let received = 0;
const venue = await serve({
  port: 0,
  hostname: "127.0.0.1",
  connectionLimit: { perAddress: 2 },
  websocket: {
    receiveLimit: { messages: { perSecond: 20, burst: 5 }, whenExceeded: "close" },
    message: () => void received++,
    error: (_ws, error) => console.log(`venue: ${error.code}`),
  },
});

// What is too fast waits in the queue and leaves in order; `send` says "queued".
const polite = await connect(venue.url, {
  websocket: { sendLimit: { messages: { perSecond: 18, burst: 4 } } },
});
const statuses = Array.from({ length: 8 }, (_, index) => polite.send(`order ${index}`));
console.log(`polite: ${statuses.join(" ")}`);
while (received < 8) await new Promise((resolve) => setTimeout(resolve, 10));
console.log(`venue: ${received} orders`);

const rude = await connect(venue.url);
for (let index = 0; index < 8; index++) rude.send("buy");
const { code } = await rude.closed;
console.log(`rude: closed with ${code}`);

// The venue has taken two connections from here in this second: the error says when to come again.
try {
  for (;;) await connect(venue.url);
} catch (error) {
  if (!(error instanceof RingwireError)) throw error;
  console.log(`too many: ${error.status}, again in ${error.retryAfterMs} ms`);
}

// A limiter of our own, for any operation: first come, first served.
const lookups = new RateLimiter({ perSecond: 50, burst: 2 });
const beganMs = performance.now();
await Promise.all([1, 2, 3, 4, 5].map(() => lookups.take()));
console.log(`5 lookups took ${performance.now() - beganMs >= 55 ? "their time" : "too little time"}`);

polite.close();
await venue.stop();
venue.loop.close();
