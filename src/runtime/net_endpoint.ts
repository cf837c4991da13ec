/** Listening and connecting through node:net, before anything is said of what goes over the socket. */

import {
  type AddressInfo,
  connect,
  createServer,
  type ListenOptions,
  type NetConnectOpts,
  type Server,
  type Socket,
} from "node:net";
import { type RingwireError, systemError } from "../errors.ts";
import type { Address, ConnectEndpoint, ListenEndpoint, SocketOptions } from "../transport.ts";
import { ipAddress, unixAddress } from "./native_address.ts";
import { checkEndpoint, endpointText, socketFailure } from "./socket_failure.ts";
import { listenTakingOver } from "./unix_path.ts";

const DEFAULT_BACKLOG = 1_024;

/** What differs between those who have node:net. */
export interface NetRuntime {
  /** For messages. */
  readonly name: "Bun" | "Deno" | "Node";
  /** Options that are refused because they would be ignored. */
  readonly lacking: readonly string[];
  /** Error names of `bind` that say less than they should, with what they mean. */
  readonly bindErrors: Readonly<Record<string, string>>;
  /** @throws RingwireError `ERR_PERMISSION_DENIED` rather than let the runtime ask its user. */
  checkPermission(action: string, address: Address): void;
  /** Whether clients cannot read into a buffer of ours (`onread`). */
  lacksOnread?(): boolean;
  /** What its TLS sockets do unlike Node's. */
  readonly tls?: TlsQuirks;
}

/** How a runtime's TLS sockets differ from Node's. */
export interface TlsQuirks {
  /** Stops or starts reading below TLS, where pausing a TLS socket does not. */
  readonly throttle?: (raw: Socket, isPaused: boolean) => void;
  /** Whether a TLS socket that has ended was really reset, where the runtime does not say so. */
  readonly isReset?: (socket: Socket) => boolean;
  /** The TLS socket can be reset itself, and the one below it is closed for show as soon as the peer has ended. */
  readonly resetsTls?: boolean;
  /** What is wrong with a certificate is found out after the handshake: the runtime would say less, and show it no more. */
  readonly verifiesLate?: boolean;
  /** Resumed sessions of clients are taken for verified, whatever came of it at first, and with other listeners' settings. */
  readonly forgetsVerification?: boolean;
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

/** A listening server and where it listens. */
export interface OpenServer {
  readonly server: Server;
  readonly address: Address;
}

/** Binds and listens. Rejects with a RingwireError when the system refuses. */
export function openServer(
  runtime: NetRuntime,
  endpoint: ListenEndpoint,
  connected: (socket: Socket) => void,
  failed: (error: RingwireError) => void,
): Promise<OpenServer> {
  return listenTakingOver(endpoint.address, () => bindServer(runtime, endpoint, connected, failed));
}

async function bindServer(
  runtime: NetRuntime,
  endpoint: ListenEndpoint,
  connected: (socket: Socket) => void,
  failed: (error: RingwireError) => void,
): Promise<OpenServer> {
  checkEndpoint(runtime.name, endpoint, runtime.lacking);
  const { address, backlog = DEFAULT_BACKLOG, reusePort = false, ipv6Only = false } = endpoint;
  const action = `Cannot listen on ${endpointText(address)}`;
  runtime.checkPermission(action, address);
  const server = createServer(socketOptions(endpoint), connected);
  const target =
    address.family === "unix"
      ? { path: address.host, backlog }
      : { host: address.host, port: address.port, backlog, ipv6Only, ...(reusePort && { reusePort }) };
  await new Promise<void>((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException): void => {
      const meaning = runtime.bindErrors[error.code ?? ""];
      reject(meaning === undefined ? socketFailure(action, error) : systemError(action, meaning, error));
    };
    server.once("error", refuse);
    server.listen(target as ListenOptions, () => {
      server.removeListener("error", refuse);
      resolve();
    });
  });
  server.on("error", (error) => failed(socketFailure("Cannot accept a connection", error)));
  const port = address.family === "unix" ? address.port : (server.address() as AddressInfo).port;
  return { server, address: { ...address, port } };
}

/** Begins to connect. @throws RingwireError, RangeError for options that cannot be honoured. */
export function openSocket(
  runtime: NetRuntime,
  endpoint: ConnectEndpoint,
  action: string,
  more: Partial<NetConnectOpts> = {},
): Socket {
  checkEndpoint(runtime.name, endpoint, runtime.lacking);
  const { address, localAddress } = endpoint;
  runtime.checkPermission(action, address);
  const target =
    address.family === "unix"
      ? { path: address.host }
      : { host: address.host, port: address.port, ...(localAddress !== undefined && { localAddress }) };
  return connect({ ...target, ...socketOptions(endpoint), ...more } as NetConnectOpts);
}

/** Both addresses of a socket. */
export class SocketAddresses {
  readonly #socket: Socket;
  readonly #path: string | undefined;
  readonly #isClient: boolean;

  constructor(socket: Socket, address: Address, isClient: boolean) {
    this.#socket = socket;
    this.#path = address.family === "unix" ? address.host : undefined;
    this.#isClient = isClient;
  }

  get isUnix(): boolean {
    return this.#path !== undefined;
  }

  remote(): Address | undefined {
    if (this.#path !== undefined) return unixAddress(this.#isClient ? this.#path : "");
    const { remoteAddress, remotePort, remoteFamily } = this.#socket;
    return ipAddress(remoteAddress, remotePort, remoteFamily);
  }

  local(): Address | undefined {
    if (this.#path !== undefined) return unixAddress(this.#isClient ? "" : this.#path);
    const { localAddress, localPort, localFamily } = this.#socket;
    return ipAddress(localAddress, localPort, localFamily);
  }
}
