/**
 * What is being measured: a Ringwire echo server, on any runtime, over either transport.
 *
 * Options: --transport uring|native, --drive auto|spin, --wait-us N; --cert FILE --key FILE for TLS, --ktls on|off.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Loop, serve } from "ringwire";

const { values } = parseArgs({
  options: {
    transport: { type: "string", default: "uring" },
    drive: { type: "string", default: "auto" },
    "wait-us": { type: "string", default: "0" },
    cert: { type: "string" },
    key: { type: "string" },
    ktls: { type: "string" },
  },
});

const loop = new Loop({
  transport: values.transport as "uring" | "native",
  drive: values.drive as "auto" | "spin",
  waitUs: Number(values["wait-us"]),
});
const { cert, key, ktls } = values;
// Longer than we are stopped while others are measured: the handshakes under way then go on afterwards.
const handshakeTimeoutMs = 60_000;
const server = await serve({
  port: 0,
  hostname: "127.0.0.1",
  loop,
  maxConnections: 100_000,
  handshakeTimeoutMs,
  ...(cert && key
    ? {
        tls: {
          cert: readFileSync(cert),
          key: readFileSync(key),
          handshakeTimeoutMs,
          ...(ktls === undefined ? {} : { ktls: ktls === "on" }),
        },
      }
    : {}),
  websocket: {
    // Equal to the peers: limits up, and no timers beyond those that every server has.
    maxMessageBytes: 64 << 20,
    // The fast path that users have: what one read brought, forwarded without an object per message.
    batch(ws, messages) {
      for (const message of messages) ws.send(message);
    },
  },
});
console.log(`listening ${server.port}`);
