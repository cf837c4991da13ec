/**
 * A server in several threads, a loop in each, all on one port. Arguments: Ringwire's module, a transport. Prints how many threads answered, and how
 * many connections.
 */
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

const THREADS = 3;
const CONNECTIONS = 48;

const [module, transport] = isMainThread ? process.argv.slice(2) : workerData.words;
const { Loop, connect, serve } = await import(pathToFileURL(module).href);

/** Resolves with the port on which a new thread listens. */
function listening(port, threads) {
  const worker = new Worker(fileURLToPath(import.meta.url), {
    workerData: { words: [module, transport], port },
  });
  threads.push(worker);
  return new Promise((resolve) => worker.once("message", resolve));
}

if (isMainThread) {
  const threads = [];
  const first = await listening(0, threads);
  if (first.code !== undefined) {
    console.log(first.code);
    process.exit(0);
  }
  while (threads.length < THREADS) await listening(first.port, threads);
  const loop = new Loop({ transport });
  const answers = [];
  const sockets = [];
  for (let index = 0; index < CONNECTIONS; index++) {
    const socket = await connect(`ws://127.0.0.1:${first.port}/`, { loop });
    sockets.push(socket);
    socket.send("who are you?");
    for await (const message of socket) {
      answers.push(message.text());
      break;
    }
  }
  console.log(`${new Set(answers).size} threads answered ${answers.length} connections`);
  for (const socket of sockets) socket.close();
  await Promise.all(sockets.map((socket) => socket.closed));
  await Promise.all(threads.map((thread) => thread.terminate()));
  console.log("done");
  process.exit(0);
} else {
  const name = `${process.pid}.${Math.random()}`;
  try {
    const server = await serve({
      port: workerData.port,
      hostname: "127.0.0.1",
      reusePort: true,
      loop: new Loop({ transport }),
      websocket: { message: (ws) => void ws.send(name) },
    });
    parentPort.postMessage({ port: server.port });
  } catch (error) {
    parentPort.postMessage({ code: error.code });
  }
}
