/**
 * The npm package ws as the client of a soak: whatever two ends of Ringwire might agree on wrongly, it does not.
 */
import { Buffer } from "node:buffer";
import WebSocket from "ws";

/**
 * Makes what opens sockets.
 *
 * @param isCompressed - Whether to offer permessage-deflate.
 * @param ca - The root to trust for wss:.
 */
export function wsOpener(isCompressed, ca) {
  return function open(url, { random, signal, on }) {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url, {
        maxPayload: 16 << 20,
        ...(url.startsWith("wss:") ? { ca } : {}),
        // The whole soak may be stopped for longer than ws waits by default.
        closeTimeout: 300_000,
        perMessageDeflate: isCompressed && random.chance(0.7) ? deflateOptions(random) : false,
      });
      const aborted = () => socket.terminate();
      signal?.addEventListener("abort", aborted);
      let isOpen = false;
      socket.on("open", () => {
        isOpen = true;
        signal?.removeEventListener("abort", aborted);
        resolve(new WsPeer(socket, random));
      });
      socket.on("message", (data, isBinary) => on.message(data, !isBinary));
      socket.on("pong", (payload) => on.pong(payload.toString()));
      socket.on("unexpected-response", (request, response) => {
        request.destroy();
        reject(
          Object.assign(new Error("refused"), { code: "ERR_HANDSHAKE_REFUSED", status: response.statusCode }),
        );
      });
      socket.on("error", (error) => {
        if (isOpen) on.error(error.code ?? error.message, error);
        else reject(signal?.aborted ? Object.assign(error, { code: "ERR_ABORTED" }) : error);
      });
      socket.on("close", (code, reason) => {
        if (isOpen) on.close(code, reason.toString(), code !== 1006);
        else
          reject(
            Object.assign(new Error("closed early"), {
              code: signal?.aborted ? "ERR_ABORTED" : "closed early",
            }),
          );
      });
    });
  };
}

function deflateOptions(random) {
  return {
    threshold: random.of([0, 1_024]),
    // `false` would be more than not asking for it: ws refuses a server that asks for it then.
    ...(random.chance(0.3) ? { serverNoContextTakeover: true } : {}),
    ...(random.chance(0.3) ? { clientNoContextTakeover: true } : {}),
    ...(random.chance(0.4) ? { serverMaxWindowBits: random.between(9, 15) } : {}),
    ...(random.chance(0.4) ? { clientMaxWindowBits: random.between(9, 15) } : {}),
  };
}

/** Unsent bytes from which on a talk is asked to wait. */
const HIGH_BYTES = 1 << 20;

/** The face that talks see, the same as that of ringwire_peer.mjs. */
class WsPeer {
  #socket;
  #random;

  constructor(socket, random) {
    this.#socket = socket;
    this.#random = random;
  }

  get isCompressed() {
    return this.#socket.extensions.includes("permessage-deflate");
  }

  get security() {
    const tls = this.#socket._socket;
    if (tls?.getProtocol === undefined) return undefined;
    return [tls.getProtocol(), ...(tls.isSessionReused() ? ["resumed"] : [])];
  }

  send(bytes, isText) {
    if (this.#random.chance(0.3)) this.#sendFragments(bytes, isText);
    else this.#socket.send(bytes, { binary: !isText });
    return this.#socket.bufferedAmount > HIGH_BYTES ? "queued" : "sent";
  }

  /** Cuts anywhere, inside of characters too; empty fragments and pings in between are allowed (RFC 6455 §5.4). */
  #sendFragments(bytes, isText) {
    const random = this.#random;
    let rest = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const isCompressed = random.chance(0.5);
    for (let left = random.between(1, 12); left > 0; left--) {
      const size = left === 1 ? rest.length : random.between(0, rest.length);
      this.#socket.send(rest.subarray(0, size), { binary: !isText, compress: isCompressed, fin: left === 1 });
      rest = rest.subarray(size);
      if (left > 1 && random.chance(0.1)) this.#socket.pong("in between");
    }
  }

  async drained() {
    while (this.#socket.readyState === WebSocket.OPEN && this.#socket.bufferedAmount > HIGH_BYTES / 2) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
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
