/**
 * Who takes part: our programs on each runtime and transport, each runtime's own way, and the limit in plain C. All are set to the same
 * options: compression off where it is not what is measured, limits up, TLS where that is asked for.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../scripts/setup/command.mjs";
import { nativeCodecs, nativeEchoServers } from "./native_peers.mjs";
import { benchProgram } from "./programs.mjs";

/**
 * The programs of each kind of workload: ours, which takes `--transport` and `--drive`, and what a user of each runtime has without us.
 */
const KINDS = {
  echo: {
    ours: "bench/peers/ringwire.ts",
    bun: [{ name: "Bun.serve", source: "bench/peers/bun_serve.ts" }],
    deno: [{ name: "Deno.serve", source: "bench/peers/deno_serve.ts" }],
    node: [{ name: "ws", source: "bench/peers/ws_node.mjs" }],
  },
  // Deno's server never compresses.
  feed: {
    ours: "bench/peers/ringwire_feed.ts",
    bun: [{ name: "Bun.serve", source: "bench/peers/bun_feed.ts" }],
    deno: [],
    node: [{ name: "ws", source: "bench/peers/ws_feed.mjs" }],
  },
  broadcast: {
    ours: "bench/peers/ringwire_broadcast.ts",
    bun: [{ name: "Bun.serve", source: "bench/peers/bun_broadcast.ts" }],
    deno: [{ name: "Deno.serve", source: "bench/peers/deno_broadcast.ts" }],
    node: [{ name: "ws", source: "bench/peers/ws_broadcast.mjs" }],
  },
  client: {
    ours: "bench/peers/ringwire_client.ts",
    bun: [{ name: "Bun's WebSocket", source: "bench/peers/whatwg_client.mjs" }],
    deno: [{ name: "Deno's WebSocket", source: "bench/peers/whatwg_client.mjs" }],
    node: [
      { name: "ws", source: "bench/peers/ws_client.mjs" },
      { name: "undici", source: "bench/peers/whatwg_client.mjs" },
    ],
  },
};

const LIMIT = { name: "C limit", program: join(ROOT, "ffi/build/echo_limit") };

/**
 * Has a server collect its garbage when it is told to: memory is what is in use, not what nobody has tidied up yet. V8's young generation is kept small: it
 * grows from 8 to 34 MB while connections are opened, never shrinks again, and is none of theirs.
 */
const COLLECTOR = join(ROOT, "bench/peers/collector.mjs");
const COLLECTING = {
  bun: ["--preload", COLLECTOR],
  deno: ["--v8-flags=--expose-gc,--max-semi-space-size=1", "--preload", COLLECTOR],
  node: ["--expose-gc", "--max-semi-space-size=1", "--import", COLLECTOR],
};

/** A program of ours or of peers as a participant. */
function program(runtime, name, source, words, { peers = [], role = "server", collects = false } = {}) {
  const { command, environment } = benchProgram(runtime, source, collects ? COLLECTING[runtime] : []);
  return { name, command: [...command, ...words], environment, peers, role };
}

/** What C can do with the same ring, as a list of one or none. */
function limit(drive) {
  const spin = drive === "spin" ? ["--spin"] : [];
  const command = [LIMIT.program, "--port", "0", ...spin];
  return existsSync(LIMIT.program) ? [{ name: LIMIT.name, command }] : [];
}

/** Our codec against those of Rust, all without a load generator. */
function codecs(runtime) {
  const role = "alone";
  const theirs = nativeCodecs().map((codec) => ({ ...codec, peers: [], role }));
  const peers = theirs.map(({ name }) => name);
  return [program(runtime, `${runtime} codec`, "bench/codec.ts", [], { role, peers }), ...theirs];
}

/** One server in several threads against itself in one. */
function threadCounts(runtime, workload, hasShim) {
  // Node's own sockets have no SO_REUSEPORT before Node 23.1.
  const transports = [...(hasShim ? ["uring"] : []), ...(runtime === "node" ? [] : ["native"])];
  return transports.map((transport) => {
    const name = (threads) => `${runtime} ${transport} ×${threads}`;
    return [1, 2].map((threads) => ({
      ...program(
        runtime,
        name(threads),
        "bench/peers/ringwire_workers.ts",
        ["--threads", String(threads), "--transport", transport, "--serve", workload.threads],
        { peers: threads === 1 ? [] : [name(1)] },
      ),
      threads,
    }));
  });
}

/** Our client with and without a recorder, which has a thread of the system to itself for its file. */
function recorders(runtime, { words }, hasShim) {
  return [...(hasShim ? ["uring"] : []), "native"].map((transport) => {
    const plain = `${runtime} ${transport}`;
    const client = (name, more, peers) => ({
      ...program(
        runtime,
        name,
        "bench/peers/ringwire_client.ts",
        ["--transport", transport, ...words, ...more],
        { peers, role: "client" },
      ),
      threads: 2,
    });
    return [client(`${plain}, recording`, ["--record"], [plain]), client(plain, [], [])];
  });
}

/**
 * The participants of a workload on one runtime, as groups: only members of a group are compared, so they run right after one another.
 *
 * @param options - `runtime`, `hasShim`, and `identity`: certificate and key for TLS ({ certFile, keyFile }), undefined for none.
 * @returns Lists of { name, command, environment, peers, role, threads }: `peers` are the names to compare with; `role` and `threads` as rig.mjs has them.
 */
export function participantGroups(workload, { runtime, hasShim, identity }) {
  if (workload.threads) return threadCounts(runtime, workload, hasShim);
  const kind = workload.kind ?? "echo";
  if (kind === "recording") return recorders(runtime, workload, hasShim);
  if (kind === "codec") return [codecs(runtime)];
  const drive = workload.drive ?? "auto";
  const words = [
    ...(workload.words ?? []),
    ...(workload.compression ? ["--compression", workload.compression] : []),
    ...(identity ? ["--cert", identity.certFile, "--key", identity.keyFile] : []),
  ];
  const { ours: source, [runtime]: own } = KINDS[kind];
  const how = { collects: workload.program === "idle", role: kind === "client" ? "client" : "server" };
  const theirs = own.map((peer) => program(runtime, peer.name, peer.source, words, how));
  const ours = (transport, peers, waitUs = 0) =>
    program(
      runtime,
      waitUs ? `${runtime} ${transport}, waitUs ${waitUs}` : `${runtime} ${transport}`,
      source,
      [
        ...["--transport", transport, "--drive", drive],
        ...(waitUs ? ["--wait-us", String(waitUs)] : []),
        ...words,
      ],
      { ...how, peers },
    );
  const peers = theirs.map(({ name }) => name);
  const group = [ours("native", peers), ...theirs];
  if (!hasShim) return [group];
  // What is no program of this runtime is compared with io_uring only.
  const others = [
    ...(workload.hasLimit ? limit(drive) : []),
    ...(workload.hasNative ? nativeEchoServers() : []),
  ];
  const all = [...peers, ...others.map(({ name }) => name)];
  group.push(ours("uring", all));
  if (workload.waitUs) group.push(ours("uring", all, workload.waitUs));
  group.push(...others.map((other) => ({ peers: [], ...other })));
  return [group];
}
