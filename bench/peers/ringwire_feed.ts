/**
 * What is being measured: Ringwire as a server that sends compressed market data, on any runtime, over either transport.
 *
 * Options: --transport uring|native, --drive auto|spin, --compression disabled|shared|dedicated.
 */
import { parseArgs } from "node:util";
import { type CompressionMode, Loop, serve } from "ringwire";
import { quote, REQUESTED } from "./quotes.ts";

const { values } = parseArgs({
  options: {
    transport: { type: "string", default: "uring" },
    drive: { type: "string", default: "auto" },
    compression: { type: "string", default: "dedicated" },
  },
});

const loop = new Loop({
  transport: values.transport as "uring" | "native",
  drive: values.drive as "auto" | "spin",
});
const server = await serve<{ sequence: number }>({
  port: 0,
  hostname: "127.0.0.1",
  loop,
  fetch(request, it) {
    const isUpgraded = it.upgrade(request, { data: { sequence: 0 } });
    return isUpgraded ? undefined : new Response("WebSocket only", { status: 426 });
  },
  websocket: {
    maxBufferedBytes: 64 << 20,
    compression: {
      mode: values.compression as CompressionMode,
      thresholdBytes: 0,
      level: 6,
      memoryLevel: 8,
    },
    message(ws) {
      for (let count = 0; count < REQUESTED; count++) ws.send(quote(ws.data.sequence++));
    },
  },
});
console.log(`listening ${server.port}`);
