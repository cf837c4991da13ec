/** Replays what record.ts has recorded, into the same code. Options: the URL that was recorded, the path, and the speed (default: as fast as possible). */
import process from "node:process";
import { connect, Loop } from "ringwire";
import { Replay } from "ringwire/record";

const [url, path, speed = "Infinity"] = process.argv.slice(2);
if (path === undefined) {
  console.error("usage: replay URL PATH [SPEED]");
  process.exit(2);
}

// The only lines that differ from a program on the network: where the loop comes from.
const replay = new Replay(path, { speed: Number(speed) });
const loop = new Loop({ transport: replay });

const socket = await connect(url, { loop });
for await (const message of socket) console.log(message.text());
const { connections, incomplete } = await replay.finished;
console.log(`replayed ${connections} connections, ${incomplete} incomplete`);
loop.close();
