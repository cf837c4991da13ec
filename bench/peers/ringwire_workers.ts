/**
 * What is being measured: a Ringwire server in several threads. Each has a loop, and with it a ring, of its own; the kernel spreads connections over the
 * listeners that share the port.
 *
 * Options: --threads N, --transport uring|native, --serve echo|feed.
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { Loop, type ServeOptions, serve } from "ringwire";
import { quote, REQUESTED } from "./quotes.ts";

interface Place {
  readonly port: number;
  readonly transport: "uring" | "native";
  readonly serve: "echo" | "feed";
}

/** What a connection of a feed sends next, and where among the texts it began. */
interface Feed {
  sequence: number;
  readonly offset: number;
}

/** The same as ringwire.ts and ringwire_feed.ts. */
const SERVICES: Readonly<Record<Place["serve"], ServeOptions<Feed>["websocket"]>> = {
  echo: {
    batch(ws, messages) {
      for (const message of messages) ws.send(message);
    },
  },
  feed: {
    maxBufferedBytes: 64 << 20,
    compression: { mode: "dedicated", thresholdBytes: 0, level: 6, memoryLevel: 8 },
    message(ws) {
      for (let count = 0; count < REQUESTED; count++) ws.send(quote(ws.data.sequence++, ws.data.offset));
    },
  },
};

/** Listens in a thread of its own. */
function listening(place: Place): Promise<number> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: place });
    worker.once("message", resolve);
    worker.once("error", reject);
  });
}

if (isMainThread) {
  const { values } = parseArgs({
    options: {
      threads: { type: "string", default: "1" },
      transport: { type: "string", default: "uring" },
      serve: { type: "string", default: "echo" },
    },
  });
  const place = values as unknown as Omit<Place, "port">;
  const port = await listening({ ...place, port: 0 });
  for (let count = 1; count < Number(values.threads); count++) await listening({ ...place, port });
  console.log(`listening ${port}`);
} else {
  const { port, transport, serve: service } = workerData as Place;
  // Of the last connection. Connections that send the same texts at the same time, as they do until they are out of step, are up to a fifth faster:
  // the processor remembers which branches the compressor took.
  let offset = 0;
  const server = await serve<Feed>({
    port,
    hostname: "127.0.0.1",
    reusePort: true,
    loop: new Loop({ transport }),
    fetch(request, it) {
      offset += 641;
      const isUpgraded = it.upgrade(request, { data: { sequence: 0, offset } });
      return isUpgraded ? undefined : new Response("WebSocket only", { status: 426 });
    },
    websocket: SERVICES[service],
  });
  parentPort?.postMessage(server.port);
}
