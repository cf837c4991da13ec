/**
 * A Ringwire service that sends messages at a steady rate over one connection and prints how long their echoes took, for promises.mjs. Every
 * option of the endpoint is at its default; the loop is polled, so that a message leaves when it is due and not when a timer comes round.
 * A latency counts from when the message was due: one that had to wait because an earlier one was late counts in full (no coordinated
 * omission).
 *
 * Options: --port N, --rate N (messages per second), --seconds S, --warmup S, --bytes N.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { Loop, Service } from "ringwire";
import { Histogram } from "ringwire/metrics";

const { values } = parseArgs({
  options: {
    port: { type: "string" },
    rate: { type: "string", default: "10000" },
    seconds: { type: "string", default: "2" },
    warmup: { type: "string", default: "0.5" },
    bytes: { type: "string", default: "64" },
  },
});
const intervalMs = 1_000 / Number(values.rate);
const warmUpMs = Number(values.warmup) * 1_000;
const endMs = warmUpMs + Number(values.seconds) * 1_000;
const payload = new Uint8Array(Math.max(8, Number(values.bytes)));
const head = new DataView(payload.buffer);

const latencies = new Histogram();
let beginMs = 0;
let sent = 0;
let received = 0;

const service = new Service({ loop: new Loop({ drive: "manual", transport: "uring" }) });
const endpoint = service.add({
  url: `ws://127.0.0.1:${values.port}/`,
  websocket: {
    zeroCopy: true,
    message(_ws, data) {
      const echo = data as Uint8Array;
      const dueMs = new DataView(echo.buffer, echo.byteOffset, echo.byteLength).getFloat64(0);
      received++;
      if (dueMs >= warmUpMs) latencies.record((performance.now() - beginMs - dueMs) * 1e6);
    },
  },
});
while (endpoint.state !== "open") service.poll(1_000);
beginMs = performance.now();
for (let nowMs = 0; nowMs < endMs; nowMs = performance.now() - beginMs) {
  for (let dueMs = sent * intervalMs; dueMs <= nowMs; dueMs = sent * intervalMs) {
    head.setFloat64(0, dueMs);
    service.dispatch(endpoint, (ws) => ws.send(payload));
    sent++;
  }
  service.poll();
}
const deadlineMs = performance.now() + 1_000;
while (received < sent && performance.now() < deadlineMs) service.poll(1_000);
console.log(JSON.stringify({ sent, received, ...latencies.snapshot() }));
process.exit(received === sent ? 0 : 1);
