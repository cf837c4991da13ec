/**
 * Who takes part: our server on each runtime and transport, each runtime's own server, ws, and the limit
 * in plain C. All of them echo, with compression off and limits up.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { programCommand, programEnvironment, runtimeCommand } from "../scripts/runtimes.mjs";
import { capture, ROOT } from "../scripts/setup/command.mjs";

const LIMIT = join(ROOT, "ffi/build/echo_limit");
const LIMIT_NAME = "C limit";

/** A limit that sleeps says nothing about servers that spin: it takes part where it can do the same. */
function limitCanSpin() {
  return capture(LIMIT, []).stderr.includes("--spin");
}

/** Each runtime's own way to serve a WebSocket: what a user has without us. */
const OWN_PEERS = {
  bun: { name: "Bun.serve", source: "bench/peers/bun_serve.ts" },
  deno: { name: "Deno.serve", source: "bench/peers/deno_serve.ts" },
  node: { name: "ws", source: "bench/peers/ws_node.mjs" },
};

/**
 * The participants for a set of runtimes, neighbours in time being those that are compared.
 *
 * @param options - `runtimes`, `hasShim`, and `drive` of our server.
 * @returns name → { name, command, environment, isOurs, peers }, `peers` being the names to compare with.
 */
export function listParticipants({ runtimes, hasShim, drive = "auto" }) {
  const list = [];
  const hasLimit = hasShim && existsSync(LIMIT) && (drive !== "spin" || limitCanSpin());
  for (const runtime of runtimes) {
    const own = OWN_PEERS[runtime];
    list.push({
      name: own.name,
      command: [...runtimeCommand(runtime), join(ROOT, own.source)],
      environment: {},
      peers: [],
    });
    for (const transport of hasShim ? ["uring", "native"] : ["native"]) {
      const options = ["--transport", transport, "--drive", drive];
      list.push({
        name: `${runtime} ${transport}`,
        command: [...programCommand(runtime, "bench/peers/ringwire.ts"), ...options],
        environment: programEnvironment(runtime),
        peers: hasLimit && transport === "uring" ? [own.name, LIMIT_NAME] : [own.name],
      });
    }
  }
  if (hasLimit) {
    const spin = drive === "spin" ? ["--spin"] : [];
    list.push({ name: LIMIT_NAME, command: [LIMIT, "--port", "0", ...spin], environment: {}, peers: [] });
  }
  return list;
}
