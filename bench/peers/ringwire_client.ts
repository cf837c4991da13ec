/**
 * What is being measured: Ringwire as a client that decodes texts, on any runtime, over either transport. Every so many messages it sends
 * the last one back (bench/load/ticker.c).
 *
 * Options: --port N, --connections N, --every N, --transport uring|native, --drive auto|spin.
 */
import { parseArgs } from "node:util";
import { connect, Loop } from "ringwire";

const { values } = parseArgs({
  options: {
    port: { type: "string" },
    connections: { type: "string", default: "10" },
    every: { type: "string", default: "64" },
    transport: { type: "string", default: "uring" },
    drive: { type: "string", default: "auto" },
  },
});
const every = Number(values.every);
const loop = new Loop({
  transport: values.transport as "uring" | "native",
  drive: values.drive as "auto" | "spin",
});

for (let index = 0; index < Number(values.connections); index++) {
  let count = 0;
  await connect(`ws://127.0.0.1:${values.port}/`, {
    loop,
    websocket: {
      message(ws, text) {
        if (++count % every === 0) ws.send(text);
      },
    },
  });
}
