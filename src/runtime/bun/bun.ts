/** Bun's namespace, as much of it as is used here. Its own types are not to be had where these sources are published (JSR). */

/** A socket with our data on it. */
export interface TcpSocket<Data> {
  data: Data;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly remoteFamily: string;
  readonly localAddress: string;
  readonly localPort: number;
  readonly localFamily: string;
  /** Returns how many bytes were taken, -1 when the socket is closed. */
  write(bytes: Uint8Array, start: number, length: number): number;
  pause(): void;
  resume(): void;
  /** FIN. */
  shutdown(): void;
  /** Closes both directions. */
  end(): void;
  /** RST. */
  terminate(): void;
  setNoDelay(isOn: boolean): void;
  setKeepAlive(isOn: boolean, delayMs: number): void;
  /** Keeps the process alive, as it does at first. */
  ref(): void;
  unref(): void;
}

/** The callbacks of sockets. */
export interface SocketEvents<Data> {
  readonly binaryType?: "uint8array";
  open(socket: TcpSocket<Data>): void;
  data(socket: TcpSocket<Data>, bytes: Uint8Array): void;
  drain?(socket: TcpSocket<Data>): void;
  end?(socket: TcpSocket<Data>): void;
  close(socket: TcpSocket<Data>, error?: Error): void;
  error(socket: TcpSocket<Data>, error: Error): void;
  connectError?(socket: TcpSocket<Data>, error: Error): void;
}

/** Where to listen or connect. */
interface SocketOptions<Data> {
  readonly unix?: string;
  readonly hostname?: string;
  readonly port?: number;
  readonly allowHalfOpen?: boolean;
  readonly reusePort?: boolean;
  readonly ipv6Only?: boolean;
  readonly socket: SocketEvents<Data>;
}

interface BunNamespace {
  readonly version: string;
  listen<Data>(options: SocketOptions<Data>): { readonly port: number; stop(closeSockets: boolean): void };
  connect<Data>(options: SocketOptions<Data>): Promise<TcpSocket<Data>>;
}

/** Undefined on other runtimes, which load these files too. */
export const bun: BunNamespace = (globalThis as unknown as { Bun: BunNamespace }).Bun;
