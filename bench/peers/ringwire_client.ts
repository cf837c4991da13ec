/**
 * What is being measured: Ringwire as a client that decodes texts, on any runtime, over either transport. Every so many messages it sends
 * the last one back (bench/load/ticker.c).
 *
 * Options: --port N, --connections N, --every N, --transport uring|native, --drive auto|spin,
 * --record: into a file that is gone with the program.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { connect, Loop } from "ringwire";
import { Recorder } from "ringwire/record";

const { values } = parseArgs({
  options: {
    port: { type: "string" },
    connections: { type: "string", default: "10" },
    every: { type: "string", default: "64" },
    transport: { type: "string", default: "uring" },
    drive: { type: "string", default: "auto" },
    record: { type: "boolean", default: false },
  },
});
const every = Number(values.every);
const loop = new Loop({
  transport: values.transport as "uring" | "native",
  drive: values.drive as "auto" | "spin",
});

function makeRecorder(): Recorder {
  const folder = mkdtempSync(join(tmpdir(), "ringwire-bench-"));
  const recorder = new Recorder(join(folder, "bench.rwr"));
  rmSync(folder, { recursive: true });
  return recorder;
}
const recorder = values.record ? makeRecorder() : undefined;

for (let index = 0; index < Number(values.connections); index++) {
  let count = 0;
  await connect(`ws://127.0.0.1:${values.port}/`, {
    loop,
    ...(recorder === undefined ? {} : { record: recorder }),
    websocket: {
      message(ws, text) {
        if (++count % every === 0) ws.send(text);
      },
    },
  });
}
