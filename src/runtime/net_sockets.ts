/**
 * Sockets through node:net, for Node and for Deno.
 *
 * On Deno too: Deno.listen and Deno.connect cannot send RST, cannot set the time of keepalive, hold a closed listener's
 * address until a later task, and take a promise for each read and write (measured: 0.55 of node:net's echo rate
 * at 1 KiB, over 100 connections).
 */

import type { Socket } from "node:net";
import type { TlsInfo } from "../tls.ts";
import type { Address, ConnectEndpoint, ListenEndpoint } from "../transport.ts";
import { type NetRuntime, openServer, openSocket, SocketAddresses } from "./net_endpoint.ts";
import type {
  NativeConnecting,
  NativeListener,
  NativeSocket,
  NativeSocketHandler,
  NativeSockets,
} from "./runtime.ts";
import { endpointText, lostText, socketFailure } from "./socket_failure.ts";
import { connectTls, listenTls } from "./tls_sockets.ts";

/** Most bytes handed to Node at once: it tells of progress only when all of them have left. */
const MAX_WRITE_BYTES = 262_144;
/** What is read arrives here, for all clients: it is handled before the next read. */
const READ_BYTES = 65_536;

const readBuffer = new Uint8Array(READ_BYTES);
const NOTHING = new Uint8Array(0);
/** Bytes on their way to the system. Node may go on reading them after `write`; then this becomes another array. */
let staging = Buffer.alloc(READ_BYTES);

/** Copies bytes to where Node may keep them. */
function stage(bytes: Uint8Array, start: number, end: number): Buffer {
  const size = end - start;
  if (staging.length < size) staging = Buffer.alloc(MAX_WRITE_BYTES);
  staging.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), 0);
  return staging.subarray(0, size);
}

/** A socket of node:net. */
class NodeSocket implements NativeSocket {
  pendingBytes = 0;
  handler: NativeSocketHandler | undefined = undefined;
  readonly #socket: Socket;
  readonly #addresses: SocketAddresses;
  #error: unknown = undefined;
  readonly #written = (error?: Error | null): void => {
    if (error) return;
    this.pendingBytes = 0;
    this.handler?.writable();
  };

  constructor(socket: Socket, address: Address, isClient: boolean) {
    this.#socket = socket;
    this.#addresses = new SocketAddresses(socket, address, isClient);
    socket.on("end", () => this.handler?.ended());
    socket.on("error", (error) => {
      this.#error ??= error;
    });
    socket.on("close", () => {
      const error = this.#error;
      const peer = isClient ? address : undefined;
      this.handler?.closed(error === undefined ? undefined : socketFailure(lostText(peer), error));
    });
  }

  /** Makes what arrives come as events: for accepted sockets, and where a runtime cannot read into a buffer of ours. */
  readByEvents(): void {
    this.#socket.on("data", ({ buffer, byteOffset, length }: Buffer) => {
      // Not a Buffer: its `slice` does not copy, which would surprise those above.
      this.handler?.received(new Uint8Array(buffer, byteOffset, length), 0, length);
    });
  }

  write(bytes: Uint8Array, start: number, end: number): number {
    const socket = this.#socket;
    if (this.pendingBytes > 0 || !socket.writable) return 0;
    const size = Math.min(end - start, MAX_WRITE_BYTES);
    // Without a callback, which costs a tenth of an echo: mostly the kernel has taken everything by now, and Node is done with the bytes.
    socket.write(stage(bytes, start, start + size));
    if (socket.writableLength > 0) {
      this.pendingBytes = size;
      staging = Buffer.alloc(READ_BYTES);
      // Node calls back for an empty write only after those in front of it: then no byte is pending, on which `pendingBytes` rests.
      socket.write(NOTHING, this.#written);
    }
    return size;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  close(): void {
    this.#socket.destroy();
  }

  abort(): void {
    const socket = this.#socket;
    // While a shutdown is under way Node refuses to reset (EINVAL), and then never closes the descriptor at all.
    const isEnding = socket.writableEnded && !socket.writableFinished;
    if (!this.#addresses.isUnix && !isEnding) socket.resetAndDestroy();
    else socket.destroy();
  }

  remoteAddress(): Address | undefined {
    return this.#addresses.remote();
  }

  localAddress(): Address | undefined {
    return this.#addresses.local();
  }

  tls(): TlsInfo | undefined {
    return undefined;
  }

  isResumed(): undefined {
    return undefined;
  }
}

/** {@link NativeSockets} over node:net and, for those who ask for TLS, node:tls. */
export function netSockets(runtime: NetRuntime): NativeSockets {
  return {
    listen: (endpoint, accepted, failed) =>
      endpoint.tls === undefined
        ? listen(runtime, endpoint, accepted, failed)
        : listenTls(runtime, endpoint, endpoint.tls, accepted, failed),
    connect: (endpoint, handler) =>
      endpoint.tls === undefined
        ? connect(runtime, endpoint, handler)
        : connectTls(runtime, endpoint, endpoint.tls, handler),
  };
}

async function listen(
  runtime: NetRuntime,
  endpoint: ListenEndpoint,
  accepted: (socket: NativeSocket) => NativeSocketHandler,
  failed: Parameters<NativeSockets["listen"]>[2],
): Promise<NativeListener> {
  const { server, address } = await openServer(
    runtime,
    endpoint,
    (socket) => {
      const own = new NodeSocket(socket, endpoint.address, false);
      own.handler = accepted(own);
      own.readByEvents();
    },
    failed,
  );
  return { address, close: () => void server.close(), updateTls };
}

function updateTls(): void {
  throw new TypeError("Cannot update TLS: this listener has none");
}

function connect(
  runtime: NetRuntime,
  endpoint: ConnectEndpoint,
  handler: NativeSocketHandler,
): NativeConnecting {
  const { address } = endpoint;
  const action = `Cannot connect to ${endpointText(address)}`;
  const onread = {
    // A function, or Node would want an array for each socket.
    buffer: (): Uint8Array => readBuffer,
    callback(size: number, bytes: Uint8Array): boolean {
      handler.received(bytes, 0, size);
      return true;
    },
  };
  const lacksOnread = runtime.lacksOnread?.() === true;
  const socket = openSocket(runtime, endpoint, action, lacksOnread ? {} : { onread });
  const own = new NodeSocket(socket, address, true);
  if (lacksOnread) own.readByEvents();
  let isOpen = false;
  own.handler = {
    ...pass(handler),
    closed(error) {
      const cause = error?.cause;
      if (isOpen || cause === undefined) handler.closed(error);
      else handler.closed(socketFailure(action, cause));
    },
  };
  socket.once("connect", () => {
    isOpen = true;
    own.handler = handler;
    handler.opened(own);
  });
  return { giveUp: () => void socket.destroy(), remoteAddress: () => undefined };
}

function pass(handler: NativeSocketHandler): NativeSocketHandler {
  return {
    opened: (socket) => handler.opened(socket),
    received: (bytes, start, end) => handler.received(bytes, start, end),
    writable: () => handler.writable(),
    ended: () => handler.ended(),
    closed: (error) => handler.closed(error),
  };
}
