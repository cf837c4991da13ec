/** Records a feed into a file. Options: a URL (default: a server of its own) and a path (default: a file in the system's temporary folder). */
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { connect, serve } from "ringwire";
import { Recorder } from "ringwire/record";

const [url, path = join(tmpdir(), `ringwire-${process.pid}.rwr`)] = process.argv.slice(2);
const own =
  url === undefined
    ? await serve({
        port: 0,
        hostname: "127.0.0.1",
        websocket: {
          open(ws) {
            for (let price = 100; price < 103; price++) ws.send(`gold ${price}`);
            ws.close();
          },
        },
      })
    : undefined;
const target = own?.url ?? url;

// A path would do as well: `record: path`. An own recorder can be shared by many connections, and tells what it has done.
const recorder = new Recorder(path);
const socket = await connect(target, { record: recorder });
for await (const message of socket) console.log(message.text());
await recorder.close();
const { records, lostRecords } = recorder.stats;
console.log(`recorded ${target} in ${path}: ${records} records, ${lostRecords} lost`);
await own?.stop();
