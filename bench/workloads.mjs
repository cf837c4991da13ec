/**
 * The workloads of this harness: what the load generator does, which figures count, and the ratios we
 * mean to reach. A ratio is always ours ÷ theirs of a figure that counts.
 *
 * `targets`: the ratio to reach, by "ours/theirs"; see targets.mjs. `limit`: where a figure itself is to be reached. `pairs`, `seconds`, `firstSeconds`
 * are what `run.mjs` takes where nobody says otherwise. `smoke`: takes part in a tiny run of everything. `spread`: why slices differ, where that is known.
 */

const RATE = { key: "messagesPerSecond", better: "more", unit: "msg/s" };
const LATENCY = { key: "p50Ns", better: "less", unit: "µs p50" };

/** Over the runtime's own sockets, where there is no io_uring. */
const FALLBACK = {
  "bun native/Bun.serve": 0.9,
  "deno native/Deno.serve": 0.9,
  "node native/ws": 2,
};

function echo(bytes, connections, inFlight) {
  const size = bytes < 1 << 20 ? (bytes % 1024 === 0 ? `${bytes / 1024} KiB` : `${bytes} B`) : "1 MiB";
  const underWay = inFlight === 1 ? "one message" : `${inFlight} messages`;
  return {
    figures: [RATE],
    title: `echo of ${size}, ${connections} connections, ${underWay} under way on each`,
    load: { connections, "in-flight": inFlight, bytes },
    hasLimit: true,
    targets: {},
  };
}

/** The shape of uSockets' load_test. */
function echoOneByOne(bytes, connections, more = {}) {
  return {
    ...echo(bytes, connections, 1),
    targets: {
      "bun uring/Bun.serve": 1.15,
      "node uring/ws": 1.6,
      "*/C limit": 0.95,
      ...more,
    },
  };
}

/** The same over TLS: what certificates are made for. */
function overTls(workload, targets) {
  return {
    ...workload,
    title: `${workload.title}, over TLS 1.3 with TLS_AES_128_GCM_SHA256`,
    load: { ...workload.load, tls: true },
    needsTls: true,
    hasLimit: false,
    hasNative: false,
    targets,
  };
}

const ECHO_PIPE = { ...echo(64, 100, 16), hasNative: true, smoke: true };
const ECHO_16K = echo(16384, 10, 4);

/** Connections that are opened, upgraded and closed, one after the other in each of 32 places. */
function connecting(how, load) {
  return {
    figures: [{ key: "connectionsPerSecond", better: "more", unit: "connections/s" }],
    title: `connections opened, upgraded and closed, 32 at a time, ${how}`,
    program: "connect",
    load: { connections: 32, ...load },
    needsTls: load.tls === true,
    seconds: 0.3,
    // Much of what a connection costs is code that is compiled late: without a warm server, the ratio is one of compilers. JavaScriptCore
    // compiles node:tls until some 13,000 sessions have been resumed.
    firstSeconds: load.resume ? 5 : load.tls ? 1 : 2,
    targets: {},
    // A tiny run of each kind of handshake is enough.
    smoke: load.tls === true && !load.resume,
  };
}

function pingPong(how, drive, targets, load = {}) {
  return {
    figures: [LATENCY],
    title: `ping-pong of 64 B on one connection, ${how}; the client polls`,
    load: { connections: 1, "in-flight": 1, bytes: 64, mode: "pingpong", ...load },
    drive,
    hasLimit: true,
    showsLatency: true,
    targets,
  };
}

/** Market data of 300 bytes from the server, compressed. */
function deflate(compression, how) {
  return {
    figures: [RATE],
    title: `300 B of JSON from server to client, permessage-deflate ${how}, level 6, 10 connections, 4 requests of 32 messages each under way`,
    program: "feed",
    kind: "feed",
    load: { connections: 10, "in-flight": 4, mode: compression },
    compression,
    targets: { "bun uring/Bun.serve": 1.2, "node uring/ws": 3 },
    smoke: compression === "dedicated",
  };
}

function broadcast(connections) {
  return {
    figures: [RATE],
    title: `one message of 300 B sent to ${connections.toLocaleString("en")} subscribers, the next when all have it; latency until the last has it`,
    kind: "broadcast",
    load: { mode: "broadcast", connections, bytes: 300 },
    showsLatency: true,
    seconds: 0.3,
    targets: {},
    smoke: connections <= 1_000,
  };
}

/** Market data from a server of ours: the client is measured. */
function ticker(title, figures, load, words, more) {
  return { figures, title, program: "ticker", kind: "client", load, words, targets: {}, ...more };
}

/** Memory is measured once everything has been said and garbage collected: there is nothing to repeat within one process. */
function idle(connections, more = {}) {
  return {
    figures: [{ key: "bytesPerConnection", better: "less", unit: "B" }],
    title: `resident memory of a server for each of ${connections.toLocaleString("en")} idle connections beyond the first 1,000, each of which has been used; garbage is collected, and V8 kept from growing its young generation`,
    program: "idle",
    connections,
    load: {},
    pairs: connections > 20_000 ? 1 : 3,
    targets: {},
    limit: { names: " uring", most: 1_500 },
    ...more,
  };
}

function threads(what, how, load) {
  return {
    figures: [RATE],
    title: `two threads ÷ one, with a ring each and one port for both (SO_REUSEPORT): ${how}`,
    threads: what,
    ...load,
    targets: {},
  };
}

/** Between messages, where the server is to have gone to sleep for certain. */
const PAUSE_US = 200;
/** Long enough to span that pause. */
const WAIT_US = 300;

export const WORKLOADS = {
  "echo-pipe": {
    ...ECHO_PIPE,
    targets: {
      "bun uring/Bun.serve": 1.5,
      "deno uring/Deno.serve": 12,
      "node uring/ws": 12,
      "*/C limit": 0.85,
      "*/uWebSockets": 1.1,
      ...FALLBACK,
    },
  },
  "echo-512-100": { ...echoOneByOne(512, 100, FALLBACK), hasNative: true },
  "echo-512-500": echoOneByOne(512, 500),
  "echo-1024-100": echoOneByOne(1024, 100),
  "echo-1024-500": echoOneByOne(1024, 500),
  "echo-16k": {
    ...ECHO_16K,
    hasNative: true,
    targets: { "bun uring/Bun.serve": 2.5, "*/C limit": 0.9, ...FALLBACK },
  },
  "text-json": ticker(
    "300 B of JSON from server to client, which takes it as a string, 10 connections; the client is measured, and counted is what its program has handled",
    [RATE],
    { connections: 10 },
    ["--every", "64"],
    {
      targets: {
        "node uring/ws": 3,
        "node uring/undici": 3,
        "bun uring/Bun's WebSocket": 1.5,
      },
      smoke: true,
    },
  ),
  recording: ticker(
    "text-json, with a recorder that writes everything to a file ÷ without",
    [RATE],
    { connections: 10 },
    ["--every", "64"],
    {
      kind: "recording",
      seconds: 0.3,
      spread: "1.5 to 3 GB a second into pages that the machine's host has to find first",
      targets: { "*": 0.95 },
    },
  ),
  "recording-3m": ticker(
    "the same while the sender sends 3,000,000 messages (0.9 GB) a second and no more: what a recorder costs who is not at full speed",
    [RATE],
    { connections: 10, rate: 3_000_000 },
    ["--every", "64"],
    { kind: "recording", targets: { "*": 0.95 } },
  ),
  "client-ping-pong": ticker(
    "ping-pong of 64 B of text on one connection, from server to client and back; the client is measured, the server polls",
    [LATENCY],
    { connections: 1, every: 1, window: 1, bytes: 64 },
    ["--every", "1"],
    { showsLatency: true },
  ),
  codec: {
    figures: [
      { key: "sendNs", better: "less", unit: "µs Send" },
      { key: "echoNs", better: "less", unit: "µs Echo" },
      { key: "recvNs", better: "less", unit: "µs Recv" },
    ],
    title:
      "100,000 texts of 14 B through memory, one thread: a client masks and sends, a server parses, unmasks, validates and sends back, the client reads",
    kind: "codec",
    load: {},
    targets: { "*/sockudo-ws": 1 },
    seconds: 0.2,
    smoke: true,
  },
  "echo-1m": {
    ...echo(1 << 20, 2, 4),
    seconds: 0.6,
    smoke: true,
    spread:
      "most of the others take fresh memory for each message: none to 250 page faults, as malloc and the garbage collector have it",
  },
  // `auto` stays awake for 20 µs where that pays, and here it does: no parking is measured.
  "ping-pong": pingPong("one message right after the other, the server at its default", "auto", {
    "bun uring/Bun.serve": 1.05,
  }),
  "ping-pong-parked": {
    ...pingPong(
      `${PAUSE_US} µs between messages, so that the server parks each time, or with \`waitUs\` waits in the kernel before it does`,
      "auto",
      {
        "bun uring/Bun.serve": 1.05,
        [`bun uring, waitUs ${WAIT_US}/Bun.serve`]: 1.05,
        "*/C limit": 1.2,
      },
      { "pause-us": PAUSE_US },
    ),
    waitUs: WAIT_US,
  },
  "ping-pong-spin": {
    ...pingPong("one message right after the other, the server spinning", "spin", {
      "bun uring/Bun.serve": 0.5,
      "*/C limit": 1.2,
    }),
    smoke: true,
  },
  rate: {
    // The tail is the host's as much as a server's: it is in the table and the picture, and makes no ratio.
    figures: [LATENCY],
    title:
      "echo of 64 B at 50,000 messages/s over 100 connections, from when each was due (no coordinated omission); the client polls",
    load: { mode: "rate", rate: 50_000, connections: 100, bytes: 64 },
    hasLimit: true,
    showsLatency: true,
    seconds: 0.2,
    targets: {},
    smoke: true,
  },
  "broadcast-1k": broadcast(1_000),
  "broadcast-10k": broadcast(10_000),
  "tls-echo-pipe": overTls(ECHO_PIPE, {
    "bun uring/Bun.serve": 1.2,
    "deno uring/Deno.serve": 6,
    "node uring/ws": 8,
  }),
  "tls-echo-16k": {
    ...overTls(ECHO_16K, { "bun uring/Bun.serve": 1.3 }),
    seconds: 0.3,
    firstSeconds: 0.6,
  },
  connect: connecting("without TLS", {}),
  "tls-connect": connecting("TLS 1.3, whole handshakes (X25519, ECDSA with P-256)", { tls: true }),
  "tls-connect-resumed": connecting("TLS 1.3, sessions resumed (X25519)", { tls: true, resume: true }),
  "deflate-dedicated": deflate("dedicated", "with context takeover"),
  "deflate-shared": deflate("shared", "without context takeover"),
  "threads-deflate": threads("feed", "compressing 300 B of JSON, which takes the server far longer than us", {
    program: "feed",
    load: { connections: 64, "in-flight": 2, mode: "dedicated" },
    seconds: 0.3,
    smoke: true,
  }),
  "threads-echo": threads(
    "echo",
    "echo of 64 B, 100 connections, 16 messages under way on each; on two cores, the load generator needs most of the second",
    {
      load: { connections: 100, "in-flight": 16, bytes: 64 },
    },
  ),
  "idle-10k": idle(10_000, { smoke: true }),
  "idle-50k": idle(50_000),
  "idle-deflate": idle(2_000, {
    title:
      "resident memory of a server for each of 2,000 idle connections with permessage-deflate and context takeover, each of which has been sent 32 messages",
    kind: "feed",
    compression: "dedicated",
    load: { answers: 32, compressed: true },
    limit: undefined,
  }),
};
