/**
 * Ringwire as the client of a soak, in every way it can take and send messages.
 */
import { Buffer } from "node:buffer";

/** See scripts/soak.mjs: the whole soak may be stopped for a while. */
const PATIENT = {
  idleTimeoutMs: 600_000,
  pongTimeoutMs: 300_000,
  messageTimeoutMs: 600_000,
  closeTimeoutMs: 300_000,
};

/**
 * Makes what opens sockets.
 *
 * @param ringwire - The module.
 * @param loops - By transport.
 * @param isCompressed - Whether the option `compression` is to be used.
 * @param ca - The root to trust for wss:.
 */
export function ringwireOpener(ringwire, loops, isCompressed, ca) {
  return async function open(url, { transport, random, signal, on }) {
    const delivery = random.of(["message", "batch", "queue"]);
    const socket = await ringwire.connect(url, {
      loop: loops.get(transport),
      connectTimeoutMs: 300_000,
      handshakeTimeoutMs: 300_000,
      ...(signal === undefined ? {} : { signal }),
      ...(url.startsWith("wss:") ? { tls: random.of(tlsOptions(ca)) } : {}),
      websocket: {
        ...PATIENT,
        text: random.of(["string", "bytes"]),
        zeroCopy: random.chance(0.5),
        fragmentBytes: random.of([0, 0, 100, 4_096, 65_536]),
        mask: random.of(["random", "random", "zero"]),
        maxFragments: 20_000,
        pingIntervalMs: random.of([0, 3_000]),
        maxBufferedBytes: 8 << 20,
        highWaterRatio: 0.125,
        lowWaterRatio: 0.05,
        whenFull: random.of(["wait", "drop"]),
        ...(isCompressed ? { compression: random.of(COMPRESSIONS) } : {}),
        ...(delivery === "message"
          ? { message: (_ws, data, isText) => on.message(bytesOf(data), isText) }
          : {}),
        ...(delivery === "batch" ? { batch: (_ws, messages) => takeBatch(messages, on) } : {}),
        pong: (_ws, payload) => on.pong(Buffer.from(payload).toString()),
        error: (_ws, error) => on.error(error.code, error),
        // What waits in the queue outlives the connection: there the end is the end of the iteration.
        ...(delivery === "queue"
          ? {}
          : { close: (_ws, code, reason, wasClean) => on.close(code, reason, wasClean) }),
      },
    });
    if (delivery === "queue") iterate(socket, on);
    return new RingwirePeer(socket, random);
  };
}

/** Few enough kinds, because each has its own context and its own sessions. */
function tlsOptions(ca) {
  const common = { ca, handshakeTimeoutMs: 300_000 };
  return [
    common,
    common,
    { ...common, maxVersion: "TLSv1.2" },
    { ...common, sessionResumption: false },
    { ...common, servername: "localhost" },
  ];
}

/**
 * Few enough kinds: a loop keeps a compressor for each setting that sockets without takeover have used, and all combinations of
 * numbers are hundreds.
 */
const COMPRESSIONS = [
  "disabled",
  "shared",
  "dedicated",
  { mode: "shared", thresholdBytes: 0, level: 9, memoryLevel: 9 },
  { mode: "shared", windowBits: 8, peerWindowBits: 9, level: 1, memoryLevel: 1 },
  { mode: "dedicated", thresholdBytes: 0, windowBits: 12, peerWindowBits: 8 },
  { mode: "dedicated", thresholdBytes: 100, windowBits: 9, peerWindowBits: 14, level: 1, memoryLevel: 1 },
  { mode: "dedicated", thresholdBytes: 100_000, level: 9, memoryLevel: 9 },
];

const bytesOf = (data) => (typeof data === "string" ? Buffer.from(data) : data);

function takeBatch(messages, on) {
  for (const message of messages) on.message(message.bytes(), message.isText);
}

/** What breaks the connection is told to the error handler as well: nothing is lost by not looking at it here. */
async function iterate(socket, on) {
  try {
    for await (const message of socket) on.message(message.bytes(), message.isText);
  } catch (error) {
    if (error.code === undefined) on.error("not a RingwireError", error);
  }
  const { code, reason, wasClean } = await socket.closed;
  on.close(code, reason, wasClean);
}

/** The face that talks see, the same as that of ws_peer.mjs. */
class RingwirePeer {
  #socket;
  #random;

  constructor(socket, random) {
    this.#socket = socket;
    this.#random = random;
  }

  get isCompressed() {
    return this.#socket.extensions?.includes("permessage-deflate") === true;
  }

  /** What TLS has agreed on, in a word for each; undefined without. */
  get security() {
    const tls = this.#socket.tls;
    return tls === undefined ? undefined : [tls.version, ...(tls.resumed ? ["resumed"] : [])];
  }

  /** Returns "sent", "queued" or "dropped". */
  send(bytes, isText) {
    const socket = this.#socket;
    if (!isText) return socket.send(this.#random.chance(0.2) ? bytes.buffer : bytes);
    return this.#random.chance(0.5) ? socket.sendText(bytes) : socket.send(Buffer.from(bytes).toString());
  }

  /** Resolves when more may be sent, or never can be. */
  async drained() {
    await this.#socket.drained().catch(() => undefined);
  }

  ping(text) {
    this.#socket.ping(text);
  }

  pause() {
    this.#socket.pause();
  }

  resume() {
    this.#socket.resume();
  }

  close(code, reason) {
    this.#socket.close(code, reason);
  }

  terminate() {
    this.#socket.terminate();
  }
}
