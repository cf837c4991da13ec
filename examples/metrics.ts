/**
 * What there is to see: counters and times for Prometheus, the time of a round trip, and events for whoever subscribes. Ends by itself.
 * With RINGWIRE_DEBUG=1 every event is a line on standard error too.
 */
import { subscribe } from "node:diagnostics_channel";
import { connect, serve } from "ringwire";
import { Histogram, PROMETHEUS_CONTENT_TYPE, prometheusText } from "ringwire/metrics";

for (const event of ["connection:open", "connection:close"]) {
  subscribe(`ringwire:${event}`, (message) => {
    const { role, code } = message as { role: string; code?: number };
    console.log(`${event} of the ${role}${code === undefined ? "" : ` with ${code}`}`);
  });
}

const server = await serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request, server) {
    if (server.upgrade(request)) return;
    const page = prometheusText([{ snapshot: server.metrics.snapshot(), labels: { server: "echo" } }]);
    return new Response(page, { headers: { "content-type": PROMETHEUS_CONTENT_TYPE } });
  },
  websocket: { message: (ws, data) => void ws.send(data) },
});

const socket = await connect(server.url);
const echoUs = new Histogram();
const messages = socket[Symbol.asyncIterator]();
for (let count = 0; count < 1_000; count++) {
  const sentMs = performance.now();
  socket.send("how long does it take?");
  await messages.next();
  echoUs.record((performance.now() - sentMs) * 1_000);
}
const { count, p50, p99 } = echoUs.snapshot();
console.log(`${count} echoes: p50 ${p50.toFixed(0)} µs, p99 ${p99.toFixed(0)} µs`);

socket.ping();
while (socket.roundTripMs === undefined) await new Promise((resolve) => setTimeout(resolve, 1));
console.log(`a ping took ${socket.roundTripMs.toFixed(2)} ms`);

// What Prometheus would get.
const page = await fetch(server.url.replace("ws:", "http:"));
const lines = (await page.text())
  .split("\n")
  .filter((line) => /^ringwire_(messages_sent|connections\{)/.test(line));
console.log(lines.join("\n"));

socket.close();
await socket.closed;
await server.stop();
server.loop.close();
