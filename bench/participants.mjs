/**
 * Who takes part: our server on each runtime and transport, each runtime's own server, ws, and the limit
 * in plain C. They echo with compression off and limits up, over TLS where that is asked for, or send compressed feeds.
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

/** The same for compressed feeds. Deno's server never compresses. */
const OWN_FEEDS = {
  bun: { name: "Bun.serve", source: "bench/peers/bun_feed.ts" },
  deno: undefined,
  node: { name: "ws", source: "bench/peers/ws_feed.mjs" },
};

/**
 * The participants for a set of runtimes in the order in which they run: neighbours are compared. The limit runs next to
 * each runtime.
 *
 * @param options - `runtimes`, `hasShim`, `drive` of our server, `feed`: the compression of a feed, undefined for an echo, and `identity`:
 * certificate and key for TLS ({ certFile, keyFile }), undefined for none. `closes`: connections are closed in order, which the limit
 * cannot.
 * @returns A list of { name, command, environment, peers }, `peers` being the names to compare with.
 */
export function listParticipants({ runtimes, hasShim, drive = "auto", feed, identity, closes = false }) {
  const list = [];
  const isFeed = feed !== undefined;
  const tls = identity ? ["--cert", identity.certFile, "--key", identity.keyFile] : [];
  const hasLimit =
    !isFeed && !identity && !closes && hasShim && existsSync(LIMIT) && (drive !== "spin" || limitCanSpin());
  const spin = drive === "spin" ? ["--spin"] : [];
  const limit = { name: LIMIT_NAME, command: [LIMIT, "--port", "0", ...spin], environment: {}, peers: [] };
  for (const runtime of runtimes) {
    const peer = (isFeed ? OWN_FEEDS : OWN_PEERS)[runtime];
    const mode = isFeed ? ["--compression", feed] : [];
    const own = peer && {
      name: peer.name,
      command: [...runtimeCommand(runtime), join(ROOT, peer.source), ...mode, ...tls],
      environment: {},
      peers: [],
    };
    const ours = (transport, peers) => ({
      name: `${runtime} ${transport}`,
      command: [
        ...programCommand(runtime, isFeed ? "bench/peers/ringwire_feed.ts" : "bench/peers/ringwire.ts"),
        ...["--transport", transport, "--drive", drive],
        ...mode,
        ...tls,
      ],
      environment: programEnvironment(runtime),
      peers,
    });
    const peers = own ? [own.name] : [];
    list.push(ours("native", peers), ...(own ? [own] : []));
    if (hasShim) list.push(ours("uring", hasLimit ? [...peers, LIMIT_NAME] : peers));
    if (hasLimit) list.push(limit);
  }
  return list;
}
