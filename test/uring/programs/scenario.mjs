/**
 * A program of its own, for what can only be seen from outside: whether it ends by itself, and what it asks
 * for. The entries beside it import the sources statically, because Deno wants --allow-read for computed imports.
 * Arguments: the shim, the scenario.
 */
import process from "node:process";

const MIB = 1 << 20;
const limits = {
  maxConnections: 64,
  receiveArenaBytes: MIB,
  sendArenaBytes: MIB,
  maxQueuedBytes: MIB,
  maxQueuedTotalBytes: MIB,
  submissionEntries: 64,
};

/** Runs the scenario over the given modules. */
export async function run(runtime, openUringTransport) {
  const [library, scenario] = process.argv.slice(2);
  let transport;
  try {
    transport = openUringTransport({ runtime, library, drive: "auto", spinUs: 0, limits });
  } catch (error) {
    console.log(`${error.name} ${error.code} ${error.message}`);
    process.exit(3);
  }
  console.log(`open ${runtime.name} ${transport.reason}`);

  const send = (connection, text) => {
    const at = connection.reserve(text.length);
    new TextEncoder().encodeInto(text, connection.out.subarray(at));
    connection.commit(at + text.length);
  };

  const silent = { opened() {}, received() {}, ended() {}, drained() {}, closed() {} };

  if (scenario === "many") {
    try {
      for (let count = 1; ; count++) {
        if (count === 64) console.log("64 are open");
        openUringTransport({ runtime, library, drive: "manual", spinUs: 0, limits });
      }
    } catch (error) {
      console.log(`${error.code} ${error.message}`);
      process.exit(0);
    }
  }

  if (scenario !== "nothing") {
    const listener = await transport.listen(
      { address: { host: "127.0.0.1", port: 0, family: "ipv4" } },
      {
        accepted: (connection) => ({
          ...silent,
          received: (bytes, start, end) => {
            if (scenario === "throws") throw new Error("thrown on purpose");
            send(connection, new TextDecoder().decode(bytes.subarray(start, end)));
          },
          ended: () => connection.close(),
        }),
        failed() {},
      },
    );
    const client = transport.connect(
      { address: listener.address },
      {
        ...silent,
        opened: () => send(client, "hello"),
        received: () => {
          console.log(`echoed: ${transport.reason}`);
          if (scenario === "exits") process.exit(0);
          if (scenario !== "stays") {
            listener.close();
            client.close();
          }
        },
      },
    );
  }
}
