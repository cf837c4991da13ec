/**
 * What sleeping costs: now and then a message goes to another thread of this program and back, once with a client that
 * sleeps in between (`auto`) and once with one that keeps looking for the next message (`spin`), which is quicker where
 * it has a core for itself and slower where others want that core too. The server sleeps either way. Ends by itself.
 */
import process from "node:process";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { connect, Loop, serve } from "ringwire";

type Drive = "auto" | "spin";

const ROUNDS = 700;
const WARM_UP_ROUNDS = 100;
/** Between an answer and the next message. */
const PAUSE_MS = 1;
/** How long `spin` looks before it sleeps, microseconds. Each message comes well within. */
const SPIN_US = 5_000;

/** The other thread: an echo server. It lives until it is terminated. */
async function runServer(): Promise<void> {
  const server = await serve({
    port: 0,
    hostname: "127.0.0.1",
    websocket: { message: (ws, data) => void ws.send(data) },
  });
  parentPort?.postMessage(server.url);
}

async function measure(drive: Drive): Promise<void> {
  const worker = new Worker(fileURLToPath(import.meta.url));
  const url = await new Promise<string>((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  const loop = new Loop({ drive, spinUs: SPIN_US });
  const timesUs: number[] = [];
  let rounds = 0;
  let sentMs = 0;
  const socket = await connect(url, {
    loop,
    websocket: {
      message(ws) {
        if (rounds++ >= WARM_UP_ROUNDS) timesUs.push((performance.now() - sentMs) * 1_000);
        if (timesUs.length === ROUNDS) {
          ws.close();
          return;
        }
        setTimeout(() => {
          sentMs = performance.now();
          ws.send("tick");
        }, PAUSE_MS);
      },
    },
  });
  sentMs = performance.now();
  socket.send("tick");
  await socket.closed;
  const { transport } = loop;
  loop.close();
  await worker.terminate();
  timesUs.sort((a, b) => a - b);
  const at = (share: number): string =>
    `${timesUs[Math.floor(timesUs.length * share)].toFixed(1)} µs`.padStart(10);
  console.log(
    `${drive.padEnd(6)}${transport.padEnd(8)}p50 ${at(0.5)}   p99 ${at(0.99)}   p99.9 ${at(0.999)}`,
  );
}

if (isMainThread) {
  await measure("auto");
  await measure("spin");
  process.exit(0);
} else {
  await runServer();
}
