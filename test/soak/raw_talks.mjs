/**
 * Peers that misbehave in ways no library would: bytes over plain TCP or the runtime's own TLS, ended wherever it hurts.
 */
import { Buffer } from "node:buffer";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { messageOf } from "./message.mjs";
import { targetOf } from "./talk_plan.mjs";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

/** A connection that gathers what it gets. */
class RawPeer {
  received = Buffer.alloc(0);
  isEnded = false;
  isClosed = false;
  /** Grows whenever anything happens, as that of `Talk`. */
  progress = 0;
  #tcp;
  #socket;
  #waiters = [];

  /**
   * @param connected - Is handed this, to see when it stands still.
   * @param ca - The root to trust; without, it speaks no TLS even where it should.
   */
  constructor({ port, isSecure }, connected, ca) {
    connected(this);
    const place = { port, host: "127.0.0.1", allowHalfOpen: true };
    this.#tcp = connect(place);
    this.#socket =
      isSecure && ca !== undefined
        ? connectTls({ socket: this.#tcp, ca, servername: "localhost", allowHalfOpen: true })
        : this.#tcp;
    this.#socket.on("data", (bytes) =>
      this.#move(() => {
        this.received = Buffer.concat([this.received, bytes]);
      }),
    );
    this.#socket.on("end", () =>
      this.#move(() => {
        this.isEnded = true;
      }),
    );
    // Resets are the daily bread here; `close` follows.
    this.#socket.on("error", () => {});
    this.#socket.on("close", () =>
      this.#move(() => {
        this.isClosed = true;
      }),
    );
  }

  #move(change) {
    change();
    this.progress++;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }

  write(bytes) {
    // Deno's TLS never finishes an empty write, and so sends nothing behind it, not even the end (2.9.6).
    if (bytes.length > 0) this.#socket.write(bytes);
  }

  end() {
    this.#socket.end();
  }

  reset() {
    this.#tcp.resetAndDestroy();
  }

  /** FIN, and nothing of TLS before it. */
  cut() {
    this.#tcp.end();
  }

  destroy() {
    this.#socket.destroy();
  }

  /** Nothing is waited for any more, whatever the sockets say. */
  terminate() {
    this.destroy();
    this.#tcp.destroy();
    this.#move(() => {
      this.isClosed = true;
    });
  }

  get state() {
    const end = this.isClosed ? "closed" : this.isEnded ? "ended by the peer" : "open";
    const { writableEnded, writableFinished } = this.#socket;
    const sent = writableFinished ? "ended" : writableEnded ? "ending" : "not ended";
    return `${this.received.length} bytes received, ${end}, ${sent} by itself`;
  }

  /** Waits until a condition holds or the connection has ended; says whether it holds. */
  async until(condition) {
    while (!condition() && !this.isClosed && !this.isEnded) {
      await new Promise((resolve) => this.#waiters.push(resolve));
    }
    return condition();
  }
}

const request = (target) =>
  `GET ${target} HTTP/1.1\r\nHost: soak\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`;

/** One masked frame that is a whole message. */
function frameOf({ isText, bytes }, random) {
  const length = bytes.length;
  const head = Buffer.alloc(length < 126 ? 6 : length < 65_536 ? 8 : 14);
  head[0] = isText ? 0x81 : 0x82;
  head[1] = 0x80 | (length < 126 ? length : length < 65_536 ? 126 : 127);
  if (head.length === 8) head.writeUInt16BE(length, 2);
  if (head.length === 14) head.writeBigUInt64BE(BigInt(length), 2);
  const key = Buffer.alloc(4);
  key.writeUInt32BE(random.next());
  key.copy(head, head.length - 4);
  const masked = Buffer.alloc(length);
  for (let at = 0; at < length; at++) masked[at] = bytes[at] ^ key[at & 3];
  return Buffer.concat([head, masked]);
}

/** Bytes behind the handshake's answer; undefined while that is incomplete. */
function behindHead(received) {
  const at = received.indexOf("\r\n\r\n");
  return at === -1 ? undefined : received.subarray(at + 4);
}

/** The frames of a server, which are never masked: what must arrive for the echoes of these messages. */
function echoOf(messages) {
  return Buffer.concat(
    messages.flatMap(({ isText, bytes }) => {
      const { length } = bytes;
      const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
      head[0] = isText ? 0x81 : 0x82;
      head[1] = length < 126 ? length : length < 65_536 ? 126 : 127;
      if (head.length === 4) head.writeUInt16BE(length, 2);
      if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
      return [head, bytes];
    }),
  );
}

const seedOf = (random) => random.next();
/** Frames are masked byte by byte here. */
const LIMITS = { maxBytes: 200_000 };

async function opened(context, plan) {
  const peer = new RawPeer(context.server, context.connected, context.ca);
  peer.write(request(targetOf({ ...LIMITS, ends: "anyhow", ...plan })));
  await peer.until(() => behindHead(peer.received) !== undefined);
  if (!peer.received.toString("latin1", 0, 12).endsWith("101")) {
    context.fail(`the handshake got ${JSON.stringify(peer.received.toString("latin1", 0, 60))}`);
  }
  return peer;
}

/** Ends a connection in one of the ways there are. */
function breakOff(peer, random) {
  peer[random.of(["reset", "destroy", "end"])]();
  // What only ended its half would wait for the server's end for ever, should that never come.
  return peer.until(() => false).then(() => peer.destroy());
}

/**
 * Each takes `{ server, connected, ca, random, think, fail, count }`; `server` is of the kind named in RAW_SERVERS, `connected` takes the
 * peer.
 *
 * The strict server may give up on a connection before it has read anything from it, without a word: when it did not get the CPU
 * for its whole deadline. That is counted.
 */
export const RAW_TALKS = {
  /** A request that stops in the middle. */
  async brokenHandshake({ server, connected, ca, random, think }) {
    const peer = new RawPeer(server, connected, ca);
    const whole = request(targetOf({ kind: "echo", seed: seedOf(random), ends: "anyhow" }));
    peer.write(whole.slice(0, random.between(0, whole.length - 1)));
    await think();
    await breakOff(peer, random);
  },

  /** A handshake whose answer nobody waits for. */
  async abandonedHandshake({ server, connected, ca, random }) {
    const peer = new RawPeer(server, connected, ca);
    peer.write(request(targetOf({ kind: "stream", seed: seedOf(random), after: 20, ends: "anyhow" })));
    if (random.chance(0.5)) await peer.until(() => peer.received.length > 0);
    await breakOff(peer, random);
  },

  /** A frame that stops in the middle, behind messages that are whole. */
  async brokenFrame(context) {
    const { random, think } = context;
    const seed = seedOf(random);
    const peer = await opened(context, { kind: "echo", seed });
    const count = random.between(0, 5);
    for (let index = 0; index < count; index++) peer.write(frameOf(messageOf(seed, index, LIMITS), random));
    const frame = frameOf(messageOf(seed, count, LIMITS), random);
    peer.write(frame.subarray(0, random.between(1, frame.length - 1)));
    await think();
    await breakOff(peer, random);
  },

  /** FIN behind the last frame, without Close: every echo must still come, then the server's own end. */
  async halfClose(context) {
    const { random, fail, count } = context;
    const seed = seedOf(random);
    const peer = await opened(context, { kind: "echo", seed });
    const messages = [];
    for (let index = random.between(1, 12); index > 0; index--) {
      messages.push(messageOf(seed, messages.length, LIMITS));
    }
    const bytes = Buffer.concat(messages.map((message) => frameOf(message, random)));
    // In two pieces that know nothing of frames.
    const cut = random.between(0, bytes.length);
    peer.write(bytes.subarray(0, cut));
    peer.write(bytes.subarray(cut));
    peer.end();
    await peer.until(() => false);
    const came = behindHead(peer.received);
    const expected = echoOf(messages);
    if (!came?.subarray(0, expected.length).equals(expected)) {
      fail(`half-close: ${came?.length} bytes of echoes came, or others, instead of ${expected.length}`);
    }
    count("messages verified", messages.length);
    peer.destroy();
  },

  /** Rules broken behind good messages: the server says 1002 and ends. */
  async violation(context) {
    const { random, fail, count } = context;
    const seed = seedOf(random);
    const peer = await opened(context, { kind: "echo", seed });
    const message = messageOf(seed, 0, LIMITS);
    const expected = echoOf([message]);
    peer.write(
      Buffer.concat([
        frameOf(message, random),
        Buffer.from([random.of([0xf1, 0x83, 0x8b, 0x80]), 0x80, 1, 2, 3, 4]),
      ]),
    );
    await peer.until(() => false);
    const came = behindHead(peer.received) ?? Buffer.alloc(0);
    const isClose = came
      .subarray(expected.length, expected.length + 4)
      .equals(Buffer.from([0x88, 2, 0x03, 0xea]));
    if (!came.subarray(0, expected.length).equals(expected) || !isClose) {
      fail(
        `violation: after the echo came ${came.subarray(expected.length).toString("hex")}, not Close 1002`,
      );
    }
    count("messages verified");
    peer.destroy();
  },

  /** A peer that never answers a Ping. The strict server gives up on it: Close 1001, and the end. */
  async silent(context) {
    const { random, fail, count } = context;
    const peer = new RawPeer(context.server, context.connected, context.ca);
    peer.write(request(targetOf({ kind: "echo", seed: seedOf(random), ends: "anyhow" })));
    await peer.until(() => false);
    const came = behindHead(peer.received) ?? Buffer.alloc(0);
    if (peer.received.length === 0) count("given up unheard by the strict server");
    else if (!came.includes(Buffer.from([0x88, 2, 0x03, 0xe9]))) {
      fail(`silence: the server ended with ${came.toString("hex")}, without Close 1001`);
    }
    peer.destroy();
  },

  /** A request that never ends: the strict server does not wait for it. */
  async slowHandshake({ server, connected, ca, fail, count }) {
    const peer = new RawPeer(server, connected, ca);
    peer.write("GET /echo HTTP/1.1\r\nHost: so");
    await peer.until(() => false);
    const answer = peer.received.toString("latin1");
    if (answer === "") count("given up unheard by the strict server");
    else if (!answer.startsWith("HTTP/1.1 408 ")) {
      fail(`slow handshake: got ${JSON.stringify(answer.slice(0, 60))}, not 408`);
    }
    peer.destroy();
  },

  /** What is no handshake of TLS, or only the beginning of one. */
  async brokenTls({ server, connected, random, think }) {
    const peer = new RawPeer(server, connected);
    const bytes = Buffer.from(Array.from({ length: random.between(0, 400) }, () => random.between(0, 255)));
    // A record of a handshake that announces more than comes, or anything at all.
    if (random.chance(0.7)) Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]).copy(bytes);
    peer.write(bytes);
    await think();
    await breakOff(peer, random);
  },

  /** FIN without close_notify, in the middle of a frame or between two. */
  async truncated(context) {
    const { random, think } = context;
    const seed = seedOf(random);
    const peer = await opened(context, { kind: "echo", seed });
    const frame = frameOf(messageOf(seed, 0, LIMITS), random);
    peer.write(frame.subarray(0, random.between(0, frame.length)));
    await think();
    peer.cut();
    await peer.until(() => false);
    peer.destroy();
  },
};

/** Lives that only a server with TLS can have. */
const SECURE_TALKS = ["brokenTls", "truncated"];

/** Whether a server is one that a life is for. */
export function isRawTalkFor(life, { isSecure }) {
  return isSecure || !SECURE_TALKS.includes(life);
}

/** Which server each needs: batches are never compressed and their server never pings. */
export const RAW_SERVERS = {
  brokenHandshake: ["message", "batch", "queue"],
  abandonedHandshake: ["message", "batch", "queue"],
  brokenFrame: ["message", "batch", "queue"],
  halfClose: ["batch"],
  violation: ["batch"],
  silent: ["strict"],
  slowHandshake: ["strict"],
  brokenTls: ["message", "batch", "queue"],
  truncated: ["message", "batch", "queue"],
};
