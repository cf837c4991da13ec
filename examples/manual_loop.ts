/**
 * A program that owns its thread: nothing happens but in `loop.poll()`, so it decides itself when to look at the
 * network and when to do other work. Needs io_uring. Ends by itself after 10,000 messages there and back.
 */
import process from "node:process";
import { connect, Loop, RingwireError, serve } from "ringwire";

const ROUNDS = 10_000;

let loop: Loop;
try {
  loop = new Loop({ drive: "manual" });
} catch (error) {
  if (!(error instanceof RingwireError)) throw error;
  console.log(`not possible here: ${error.message}`);
  process.exit(0);
}

let answers = 0;

/** Promises of `serve` and `connect` settle in microtasks, so setting up alternates between polling and awaiting. */
async function polled<Value>(promise: Promise<Value>): Promise<Value> {
  let isSettled = false;
  const settle = (): void => {
    isSettled = true;
  };
  promise.then(settle, settle);
  while (!isSettled) {
    loop.poll();
    await Promise.resolve();
  }
  return promise;
}

const server = await polled(
  serve({
    loop,
    port: 0,
    hostname: "127.0.0.1",
    websocket: { message: (ws, data) => void ws.send(data) },
  }),
);
const socket = await polled(
  connect(server.url, {
    loop,
    websocket: {
      message(ws, data) {
        if (++answers < ROUNDS) ws.send(data);
      },
    },
  }),
);

socket.send("round and round");
const beginMs = performance.now();
while (answers < ROUNDS) {
  // 0: never blocks. `poll(100)` would wait up to 100 µs for something to happen.
  loop.poll(0);
  // Here the program does its own work: read another queue, look at the clock …
}
const roundUs = ((performance.now() - beginMs) * 1_000) / ROUNDS;
console.log(`${answers} answers, one each ${roundUs.toFixed(1)} µs`);
loop.close();
