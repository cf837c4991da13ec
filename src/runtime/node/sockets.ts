/** Node's own sockets: node:net. */

import {
  type AddressInfo,
  connect as connectNet,
  createServer,
  type ListenOptions,
  type NetConnectOpts,
  type Socket,
} from "node:net";
import type { Address, ConnectEndpoint, ListenEndpoint, SocketOptions } from "../../transport.ts";
import type { NativeListener, NativeSocket, NativeSocketHandler, NativeSockets } from "../runtime.ts";
import { checkEndpoint, endpointText, lostText, socketFailure } from "../socket_failure.ts";

/** Most bytes handed to Node at once: it tells of progress only when all of them have left. */
const MAX_WRITE_BYTES = 262_144;
/** What is read arrives here, for all clients: it is handled before the next read. */
const READ_BYTES = 65_536;
const DEFAULT_BACKLOG = 1_024;

const readBuffer = new Uint8Array(READ_BYTES);
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
  readonly #path: string | undefined;
  readonly #isClient: boolean;
  #error: unknown = undefined;
  readonly #written = (): void => {
    if (this.pendingBytes === 0 || this.#socket.writableLength > 0) return;
    this.pendingBytes = 0;
    this.handler?.writable();
  };

  constructor(socket: Socket, address: Address, isClient: boolean) {
    this.#socket = socket;
    this.#path = address.family === "unix" ? address.host : undefined;
    this.#isClient = isClient;
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

  /** Makes what arrives come as events: for accepted sockets, which cannot read into a buffer of ours. */
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
    socket.write(stage(bytes, start, start + size), this.#written);
    // Mostly the kernel has taken everything by now, and Node is done with the bytes.
    if (socket.writableLength > 0) {
      this.pendingBytes = size;
      staging = Buffer.alloc(READ_BYTES);
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
    if (this.#path === undefined) this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }

  remoteAddress(): Address | undefined {
    if (this.#path !== undefined) return unixAddress(this.#isClient ? this.#path : "");
    const { remoteAddress, remotePort, remoteFamily } = this.#socket;
    return ipAddress(remoteAddress, remotePort, remoteFamily);
  }

  localAddress(): Address | undefined {
    if (this.#path !== undefined) return unixAddress(this.#isClient ? "" : this.#path);
    const { localAddress, localPort, localFamily } = this.#socket;
    return ipAddress(localAddress, localPort, localFamily);
  }
}

function unixAddress(host: string): Address {
  return { host, port: 0, family: "unix" };
}

function ipAddress(
  host: string | undefined,
  port: number | undefined,
  family: string | undefined,
): Address | undefined {
  if (host === undefined || port === undefined) return undefined;
  return { host, port, family: family === "IPv6" ? "ipv6" : "ipv4" };
}

function socketOptions(options: SocketOptions): {
  allowHalfOpen: true;
  noDelay: boolean;
  keepAlive: boolean;
  keepAliveInitialDelay: number;
} {
  const { noDelay = true, keepAliveMs = 0 } = options;
  return { allowHalfOpen: true, noDelay, keepAlive: keepAliveMs > 0, keepAliveInitialDelay: keepAliveMs };
}

/** {@link NativeSockets} of Node. */
export const sockets: NativeSockets = { listen, connect };

async function listen(
  endpoint: ListenEndpoint,
  accepted: (socket: NativeSocket) => NativeSocketHandler,
  failed: Parameters<NativeSockets["listen"]>[2],
): Promise<NativeListener> {
  // Node has had reusePort since 23.1.
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const hasReusePort = major > 23 || (major === 23 && minor >= 1);
  checkEndpoint("Node", endpoint, hasReusePort ? [] : ["reusePort"]);
  const { address, backlog = DEFAULT_BACKLOG, reusePort = false, ipv6Only = false } = endpoint;
  const action = `Cannot listen on ${endpointText(address)}`;
  const server = createServer(socketOptions(endpoint), (socket) => {
    const own = new NodeSocket(socket, address, false);
    own.handler = accepted(own);
    own.readByEvents();
  });
  const target =
    address.family === "unix"
      ? { path: address.host, backlog }
      : { host: address.host, port: address.port, backlog, ipv6Only, ...(reusePort && { reusePort }) };
  await new Promise<void>((resolve, reject) => {
    const refuse = (error: Error): void => reject(socketFailure(action, error));
    server.once("error", refuse);
    server.listen(target as ListenOptions, () => {
      server.removeListener("error", refuse);
      resolve();
    });
  });
  server.on("error", (error) => failed(socketFailure("Cannot accept a connection", error)));
  const bound = address.family === "unix" ? address.port : (server.address() as AddressInfo).port;
  return { address: { ...address, port: bound }, close: () => void server.close() };
}

function connect(endpoint: ConnectEndpoint, handler: NativeSocketHandler): () => void {
  checkEndpoint("Node", endpoint, []);
  const { address, localAddress } = endpoint;
  const target =
    address.family === "unix"
      ? { path: address.host }
      : { host: address.host, port: address.port, ...(localAddress !== undefined && { localAddress }) };
  const onread = {
    // A function, or Node would want an array for each socket.
    buffer: (): Uint8Array => readBuffer,
    callback(size: number, bytes: Uint8Array): boolean {
      handler.received(bytes, 0, size);
      return true;
    },
  };
  const socket = connectNet({ ...target, ...socketOptions(endpoint), onread } as NetConnectOpts);
  const own = new NodeSocket(socket, address, true);
  let isOpen = false;
  own.handler = {
    ...pass(handler),
    closed(error) {
      const cause = error?.cause;
      if (isOpen || cause === undefined) handler.closed(error);
      else handler.closed(socketFailure(`Cannot connect to ${endpointText(address)}`, cause));
    },
  };
  socket.once("connect", () => {
    isOpen = true;
    own.handler = handler;
    handler.opened(own);
  });
  return () => void socket.destroy();
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
