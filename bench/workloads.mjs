/**
 * The workloads of this harness: what the load generator does, which figure counts, and the ratios we
 * mean to reach. A ratio is always ours ÷ theirs of the figure that counts.
 *
 * `targets`: per comparison the ratio to reach in the end and, where it differs, the one due now.
 */

const MORE_IS_BETTER = { figure: "messagesPerSecond", better: "more", unit: "msg/s" };
const LESS_IS_BETTER = { figure: "p50Ns", better: "less", unit: "µs p50" };

function echo512(connections) {
  return {
    ...MORE_IS_BETTER,
    title: `echo of 512 B, ${connections} connections, one message under way on each`,
    load: { connections, "in-flight": 1, bytes: 512 },
    targets: {
      "bun uring/Bun.serve": { final: 1.15 },
      "node uring/ws": { final: 1.6 },
      "*/C limit": { final: 0.95 },
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
    targets,
  };
}

const ECHO_PIPE = {
  ...MORE_IS_BETTER,
  title: "echo of 64 B, 100 connections, 16 messages under way on each",
  load: { connections: 100, "in-flight": 16, bytes: 64 },
  smoke: true,
};
const ECHO_16K = {
  ...MORE_IS_BETTER,
  title: "echo of 16 KiB, 10 connections, 4 messages under way on each",
  load: { connections: 10, "in-flight": 4, bytes: 16384 },
};

/** Connections that are opened, upgraded and closed, one after the other in each of 32 places. */
function connecting(how, load) {
  return {
    figure: "connectionsPerSecond",
    better: "more",
    unit: "connections/s",
    title: `connections opened, upgraded and closed, 32 at a time, ${how}`,
    program: "connect",
    load: { connections: 32, ...load },
    needsTls: load.tls === true,
    targets: {},
    // A tiny run of each kind of handshake is enough.
    smoke: load.tls === true && !load.resume,
  };
}

function pingPong(how, drive, targets, load = {}) {
  return {
    ...LESS_IS_BETTER,
    title: `ping-pong of 64 B on one connection, ${how}; the client polls`,
    load: { connections: 1, "in-flight": 1, bytes: 64, mode: "pingpong", ...load },
    drive,
    targets,
  };
}

/** Market data of 300 bytes from the server, compressed. */
function deflate(mode, how) {
  return {
    ...MORE_IS_BETTER,
    title: `300 B of JSON from server to client, permessage-deflate ${how}, level 6, 10 connections, 4 requests of 32 messages each under way`,
    program: "feed",
    load: { connections: 10, "in-flight": 4, mode },
    feed: mode,
    targets: { "bun uring/Bun.serve": { final: 1.2 }, "node uring/ws": { final: 3 } },
    smoke: true,
  };
}

/** Between messages, where the server is to have gone to sleep for certain. */
const PAUSE_US = 200;

export const WORKLOADS = {
  "echo-pipe": {
    ...ECHO_PIPE,
    targets: {
      "bun uring/Bun.serve": { final: 1.5, now: 1.2 },
      "deno uring/Deno.serve": { final: 12, now: 10 },
      "node uring/ws": { final: 12, now: 10 },
      "*/C limit": { final: 0.85, now: 0.75 },
      "bun native/Bun.serve": { final: 0.9 },
      "deno native/Deno.serve": { final: 0.9 },
      "node native/ws": { final: 2 },
    },
  },
  "echo-512-100": echo512(100),
  "echo-512-500": echo512(500),
  "echo-16k": {
    ...ECHO_16K,
    targets: { "bun uring/Bun.serve": { final: 2.5 }, "*/C limit": { final: 0.9 } },
    smoke: true,
  },
  // `auto` stays awake for 20 µs where that pays, and here it does: no parking is measured.
  "ping-pong": pingPong("one message right after the other, the server at its default", "auto", {
    "bun uring/Bun.serve": { final: 1.05, now: 1.15 },
  }),
  "ping-pong-parked": pingPong(
    `${PAUSE_US} µs between messages, so that the server parks each time`,
    "auto",
    { "bun uring/Bun.serve": { final: 1.05, now: 1.15 }, "*/C limit": { final: 1.2 } },
    { "pause-us": PAUSE_US },
  ),
  "ping-pong-spin": {
    ...pingPong("one message right after the other, the server spinning", "spin", {
      "bun uring/Bun.serve": { final: 0.5 },
      "*/C limit": { final: 1.2 },
    }),
    smoke: true,
  },
  "tls-echo-pipe": overTls(ECHO_PIPE, {
    "bun uring/Bun.serve": { final: 1.2 },
    "deno uring/Deno.serve": { final: 6 },
    "node uring/ws": { final: 6 },
  }),
  "tls-echo-16k": overTls(ECHO_16K, { "bun uring/Bun.serve": { final: 1.3 } }),
  connect: connecting("without TLS", {}),
  "tls-connect": connecting("TLS 1.3, whole handshakes (X25519, ECDSA with P-256)", { tls: true }),
  "tls-connect-resumed": connecting("TLS 1.3, sessions resumed (X25519)", { tls: true, resume: true }),
  "deflate-dedicated": deflate("dedicated", "with context takeover"),
  "deflate-shared": deflate("shared", "without context takeover"),
};

/** Micro benches: programs that print their own tables, on every runtime, or on Node only. */
export const MICRO_BENCHES = {
  codec: { title: "the codec alone, in memory", source: "bench/codec.ts" },
  promises: {
    title: "what people expect of a WebSocket library, with every option at its default",
    source: "bench/promises.mjs",
    needsShim: true,
  },
  ffi: { title: "calls into the shim", source: "bench/ffi.ts", needsShim: true },
  ktls: {
    title: "records made by the kernel against records made by OpenSSL, in a virtual machine",
    source: "bench/ktls.mjs",
    needsShim: true,
    isForNode: true,
  },
};

/** The target of a comparison, if there is one. `*` stands for every runtime over io_uring. */
export function targetOf(workload, ours, theirs) {
  const { targets } = workload;
  return targets[`${ours}/${theirs}`] ?? (ours.endsWith(" uring") ? targets[`*/${theirs}`] : undefined);
}
