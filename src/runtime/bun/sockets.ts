/** Bun's own sockets: Bun.listen and Bun.connect. */

import type { RingwireError } from "../../errors.ts";
import type { TlsInfo } from "../../tls.ts";
import type { Address, ConnectEndpoint, ListenEndpoint, SocketOptions } from "../../transport.ts";
import { ipAddress, unixAddress } from "../native_address.ts";
import type { NetRuntime } from "../net_endpoint.ts";
import type {
  NativeConnecting,
  NativeListener,
  NativeSocket,
  NativeSocketHandler,
  NativeSockets,
} from "../runtime.ts";
import { checkEndpoint, endpointText, lostText, socketFailure } from "../socket_failure.ts";
import { connectTls, listenTls } from "../tls_sockets.ts";
import { listenTakingOver } from "../unix_path.ts";
import { bun, type SocketEvents, type TcpSocket } from "./bun.ts";

type Events = SocketEvents<BunSocket>;

/** A Bun socket. Bun's `write` is synchronous and takes what the kernel takes, so nothing is ever pending. */
class BunSocket implements NativeSocket {
  readonly pendingBytes = 0;
  readonly handler: NativeSocketHandler;
  readonly #socket: TcpSocket<BunSocket>;
  /** The address of a Unix socket, which Bun does not tell. */
  readonly #path: string | undefined;
  readonly #isClient: boolean;
  /** Whether `ended` was called, or does not matter any more. */
  hasEnded = false;

  /** @param accepted - Gives the handler of an accepted socket; a client's handler is given as it is. */
  constructor(
    socket: TcpSocket<BunSocket>,
    endpoint: ListenEndpoint | ConnectEndpoint,
    handler: NativeSocketHandler | ((socket: NativeSocket) => NativeSocketHandler),
  ) {
    this.#socket = socket;
    this.#path = endpoint.address.family === "unix" ? endpoint.address.host : undefined;
    this.#isClient = typeof handler !== "function";
    if (this.#path === undefined) setOptions(socket, endpoint);
    this.handler = typeof handler === "function" ? handler(this) : handler;
  }

  write(bytes: Uint8Array, start: number, end: number): number {
    // -1: closed, `close` follows.
    return Math.max(0, this.#socket.write(bytes, start, end - start));
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    // `end` would close both directions, whatever allowHalfOpen says.
    this.#socket.shutdown();
  }

  close(): void {
    this.hasEnded = true;
    this.#socket.end();
  }

  abort(): void {
    this.hasEnded = true;
    this.#socket.terminate();
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

  tls(): TlsInfo | undefined {
    return undefined;
  }

  isResumed(): undefined {
    return undefined;
  }

  /** What was lost, for messages. */
  lost(): string {
    return lostText(this.remoteAddress());
  }
}

function setOptions(socket: TcpSocket<BunSocket>, options: SocketOptions): void {
  // Bun itself switches TCP_NODELAY on.
  if (options.noDelay === false) socket.setNoDelay(false);
  if (options.keepAliveMs !== undefined && options.keepAliveMs > 0) {
    socket.setKeepAlive(true, options.keepAliveMs);
  }
}

/** The callbacks that both ends share. */
const EVENTS = {
  binaryType: "uint8array",
  data(socket, bytes) {
    socket.data.handler.received(bytes, 0, bytes.length);
  },
  drain(socket) {
    socket.data.handler.writable();
  },
  end(socket) {
    socket.data.hasEnded = true;
    socket.data.handler.ended();
  },
  close(socket, error) {
    // A socket that was given up before it opened has no data.
    const own = socket.data as BunSocket | undefined;
    if (own === undefined) return;
    // When our FIN went first, Bun answers the peer's by closing, without a word of it.
    if (error === undefined && !own.hasEnded) own.handler.ended();
    own.handler.closed(error === undefined ? undefined : socketFailure(own.lost(), error));
  },
  error(_socket, error) {
    // Handlers catch everything, and the system's errors come with `close`: this is a bug of ours.
    setImmediate(() => {
      throw error;
    });
  },
} as const satisfies Omit<Events, "open">;

/** TLS goes over Bun's node:net. What Bun's own sockets refuse is refused there too. */
const NET: NetRuntime = {
  name: "Bun",
  lacking: ["backlog", "localAddress"],
  bindErrors: {},
  checkPermission() {},
  tls: { resetsTls: true, verifiesLate: true },
};

/** {@link NativeSockets} of Bun. */
export const sockets: NativeSockets = {
  listen(endpoint, accepted, failed): Promise<NativeListener> {
    if (endpoint.tls !== undefined) return listenTls(NET, endpoint, endpoint.tls, accepted, failed);
    return listenTakingOver(endpoint.address, () => listen(endpoint, accepted));
  },
  connect: (endpoint, handler) =>
    endpoint.tls === undefined
      ? connect(endpoint, handler)
      : connectTls(NET, endpoint, endpoint.tls, handler),
};

function listen(
  endpoint: ListenEndpoint,
  accepted: (socket: NativeSocket) => NativeSocketHandler,
): NativeListener {
  checkEndpoint("Bun", endpoint, ["backlog"]);
  const { address } = endpoint;
  const socket: Events = {
    ...EVENTS,
    open(opened) {
      opened.data = new BunSocket(opened, endpoint, accepted);
    },
  };
  try {
    if (address.family === "unix") {
      const listener = bun.listen({ unix: address.host, allowHalfOpen: true, socket });
      return { address, close: () => listener.stop(false), updateTls };
    }
    const { reusePort = false, ipv6Only = false } = endpoint;
    const options = {
      hostname: address.host,
      port: address.port,
      allowHalfOpen: true,
      reusePort,
      ipv6Only,
      socket,
    };
    const listener = bun.listen(options);
    return { address: { ...address, port: listener.port }, close: () => listener.stop(false), updateTls };
  } catch (error) {
    throw socketFailure(`Cannot listen on ${endpointText(address)}`, error);
  }
}

function updateTls(): void {
  throw new TypeError("Cannot update TLS: this listener has none");
}

function connect(endpoint: ConnectEndpoint, handler: NativeSocketHandler): NativeConnecting {
  checkEndpoint("Bun", endpoint, ["localAddress"]);
  const { address } = endpoint;
  let isSettled = false;
  const fail = (error: unknown): void => {
    if (isSettled) return;
    isSettled = true;
    const failure: RingwireError = socketFailure(`Cannot connect to ${endpointText(address)}`, error);
    handler.closed(failure);
  };
  const socket: Events = {
    ...EVENTS,
    open(opened) {
      if (isSettled) {
        opened.terminate();
        return;
      }
      isSettled = true;
      opened.data = new BunSocket(opened, endpoint, handler);
      handler.opened(opened.data);
    },
    connectError(_socket, error) {
      fail(error);
    },
  };
  const target =
    address.family === "unix" ? { unix: address.host } : { hostname: address.host, port: address.port };
  const options = { ...target, allowHalfOpen: true, socket };
  // Its errors come twice: to `connectError`, and as a rejection.
  const connecting = new Promise((resolve) => resolve(bun.connect(options)));
  connecting.catch(fail);
  return {
    giveUp(): void {
      // Bun cannot give up a connect: the socket is dropped once it has opened.
      isSettled = true;
    },
    remoteAddress: () => undefined,
  };
}
