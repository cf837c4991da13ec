/**
 * Peer: Bun's own WebSocket server, sending compressed market data. Its level is its own (zlib's default, 6). Windows are
 * of 32 KiB. Option: --compression disabled|shared|dedicated.
 */
import { parseArgs } from "node:util";
import { quote, REQUESTED } from "./quotes.ts";

const { values } = parseArgs({
  options: { compression: { type: "string", default: "dedicated" } },
  strict: false,
});
const mode = values.compression as "disabled" | "shared" | "dedicated";
const isCompressed = mode !== "disabled";

const server = Bun.serve<{ sequence: number }>({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request, it) {
    const isUpgraded = it.upgrade(request, { data: { sequence: 0 } });
    return isUpgraded ? undefined : new Response("WebSocket only", { status: 426 });
  },
  websocket: {
    perMessageDeflate: mode === "disabled" ? false : { compress: mode, decompress: mode },
    backpressureLimit: 64 << 20,
    idleTimeout: 0,
    message(ws) {
      for (let count = 0; count < REQUESTED; count++) ws.send(quote(ws.data.sequence++), isCompressed);
    },
  },
});
console.log(`listening ${server.port}`);
