/** Deno's own sockets: Deno.listen and Deno.connect. */

import type { RingwireError } from "../../errors.ts";
import { systemError } from "../../errors.ts";
import type { Address, ConnectEndpoint, ListenEndpoint, SocketOptions } from "../../transport.ts";
import type { NativeListener, NativeSocket, NativeSocketHandler, NativeSockets } from "../runtime.ts";
import { checkEndpoint, endpointText, lostText, socketFailure } from "../socket_failure.ts";

/** As much of the namespace as is used here. */
interface DenoAddress {
  readonly hostname?: string;
  readonly port?: number;
  readonly path?: string | null;
}
interface DenoConnection {
  readonly localAddr: DenoAddress;
  readonly remoteAddr: DenoAddress;
  read(buffer: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
  setNoDelay?(on: boolean): void;
}
interface DenoListener {
  readonly addr: DenoAddress;
  accept(): Promise<DenoConnection>;
  close(): void;
}
interface DenoNet {
  listen(options: object): DenoListener;
  connect(options: object): Promise<DenoConnection>;
  readonly permissions: { querySync(descriptor: object): { readonly state: string } };
}

const deno = (globalThis as unknown as { Deno: DenoNet }).Deno;

/** A connection's read buffer begins small, for there may be thousands, and grows while reads fill it. */
const MIN_READ_BYTES = 4_096;
const MAX_READ_BYTES = 262_144;
/** So many reads in a row that need an eighth of the buffer or less make it shrink. */
const SMALL_READS = 64;
const WRITE_BYTES = 65_536;
const MAX_SPARE_BUFFERS = 32;
const DEFAULT_BACKLOG = 1_024;
/** Accepting is tried again after that long when the system refuses (out of file descriptors …). */
const ACCEPT_RETRY_MS = 100;

/** Buffers for writes: Deno may look at them until the write has settled, mostly in the next microtask. */
const spareBuffers: Uint8Array[] = [];

/** A Deno connection. One read and one write are under way at most. */
class DenoSocket implements NativeSocket {
  pendingBytes = 0;
  handler: NativeSocketHandler | undefined = undefined;
  readonly #connection: DenoConnection;
  /** The address of a Unix socket, which Deno tells without saying which end has none. */
  readonly #address: Address;
  readonly #isClient: boolean;
  #readBuffer: Uint8Array = new Uint8Array(MIN_READ_BYTES);
  #smallReads = 0;
  #isReading = false;
  #isPaused = false;
  #isClosed = false;
  #writeBuffer: Uint8Array | undefined = undefined;
  #writtenBytes = 0;
  readonly #onRead = (count: number | null): void => this.#read(count);
  readonly #onWritten = (count: number): void => this.#written(count);
  readonly #onFailure = (error: unknown): void => {
    this.#isReading = false;
    if (!this.#isClosed) this.#close(socketFailure(lostText(this.remoteAddress()), error));
  };

  constructor(connection: DenoConnection, endpoint: ListenEndpoint | ConnectEndpoint, isClient: boolean) {
    this.#connection = connection;
    this.#address = endpoint.address;
    this.#isClient = isClient;
    connection.setNoDelay?.(endpoint.noDelay !== false);
  }

  write(bytes: Uint8Array, start: number, end: number): number {
    if (this.pendingBytes > 0 || this.#isClosed) return 0;
    const size = Math.min(end - start, WRITE_BYTES);
    const buffer = spareBuffers.pop() ?? new Uint8Array(WRITE_BYTES);
    buffer.set(bytes.subarray(start, start + size));
    this.#writeBuffer = buffer;
    this.#writtenBytes = 0;
    this.pendingBytes = size;
    this.#connection.write(buffer.subarray(0, size)).then(this.#onWritten, this.#onFailure);
    return size;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.read();
  }

  end(): void {
    // What goes wrong here, the read under way tells better.
    this.#connection.closeWrite().catch(() => {});
  }

  close(): void {
    this.#close(undefined);
  }

  /** Deno cannot send RST: SO_LINGER is out of reach. */
  abort(): void {
    this.#close(undefined);
  }

  remoteAddress(): Address | undefined {
    return this.#convert(this.#connection.remoteAddr, this.#isClient);
  }

  localAddress(): Address | undefined {
    return this.#convert(this.#connection.localAddr, !this.#isClient);
  }

  /** Begins a read unless one is under way. */
  read(): void {
    if (this.#isReading || this.#isPaused || this.#isClosed) return;
    this.#isReading = true;
    this.#connection.read(this.#readBuffer).then(this.#onRead, this.#onFailure);
  }

  #convert(address: DenoAddress, isNamed: boolean): Address {
    if (this.#address.family === "unix") {
      return { host: isNamed ? this.#address.host : "", port: 0, family: "unix" };
    }
    const { hostname: host = "", port = 0 } = address;
    return { host, port, family: host.includes(":") ? "ipv6" : "ipv4" };
  }

  #read(count: number | null): void {
    if (this.#isClosed) return;
    if (count === null) {
      // `#isReading` stays: there is nothing more to read.
      this.handler?.ended();
      return;
    }
    this.#isReading = false;
    const buffer = this.#readBuffer;
    this.handler?.received(buffer, 0, count);
    if (this.#isReading) return;
    if (count === buffer.length) this.#resize(buffer.length * 4);
    else if (count > buffer.length >>> 3) this.#smallReads = 0;
    else if (++this.#smallReads === SMALL_READS) this.#resize(buffer.length >>> 2);
    this.read();
  }

  #resize(size: number): void {
    this.#smallReads = 0;
    const bytes = Math.min(MAX_READ_BYTES, Math.max(MIN_READ_BYTES, size));
    if (bytes !== this.#readBuffer.length) this.#readBuffer = new Uint8Array(bytes);
  }

  #written(count: number): void {
    if (this.#isClosed) return;
    const buffer = this.#writeBuffer!;
    this.pendingBytes -= count;
    this.#writtenBytes += count;
    if (this.pendingBytes > 0) {
      const from = this.#writtenBytes;
      this.#connection
        .write(buffer.subarray(from, from + this.pendingBytes))
        .then(this.#onWritten, this.#onFailure);
    } else {
      this.#writeBuffer = undefined;
      if (spareBuffers.length < MAX_SPARE_BUFFERS) spareBuffers.push(buffer);
    }
    this.handler?.writable();
  }

  #close(error: RingwireError | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // A write under way is cancelled by this; its buffer does not become a spare one.
    this.#connection.close();
    queueMicrotask(() => this.handler?.closed(error));
  }
}

/** {@link NativeSockets} of Deno. */
export const sockets: NativeSockets = { listen, connect };

/** Deno's name for an endpoint. */
function target(address: Address): object {
  return address.family === "unix"
    ? { transport: "unix", path: address.host }
    : { transport: "tcp", hostname: address.host, port: address.port };
}

/** Refuses what lacks a permission: Deno itself might ask the user. */
function checkPermission(action: string, address: Address): void {
  const isGranted = (descriptor: object): boolean =>
    deno.permissions.querySync(descriptor).state === "granted";
  if (address.family === "unix") {
    const path = address.host;
    // An abstract name needs --allow-net only, which is asked for without a host.
    if (path.startsWith("\0")) return;
    if (isGranted({ name: "read", path }) && isGranted({ name: "write", path })) return;
    throw systemError(`${action}; run with --allow-read and --allow-write for it`, "EACCES");
  }
  if (isGranted({ name: "net", host: endpointText(address) })) return;
  throw systemError(`${action}; run with --allow-net`, "EACCES");
}

/** Refuses what Deno has no means for. */
function lacking(options: SocketOptions, ...names: string[]): string[] {
  // Keepalive itself can be had, but not its time.
  return options.keepAliveMs === undefined ? names : [...names, "keepAliveMs"];
}

async function listen(
  endpoint: ListenEndpoint,
  accepted: (socket: NativeSocket) => NativeSocketHandler,
  failed: (error: RingwireError) => void,
): Promise<NativeListener> {
  checkEndpoint("Deno", endpoint, lacking(endpoint, "ipv6Only"));
  const { address, backlog = DEFAULT_BACKLOG, reusePort = false } = endpoint;
  const action = `Cannot listen on ${endpointText(address)}`;
  checkPermission(action, address);
  let listener: DenoListener;
  try {
    listener = deno.listen({ ...target(address), tcpBacklog: backlog, reusePort });
  } catch (error) {
    throw socketFailure(action, error);
  }
  let isOpen = true;
  const accept = async (): Promise<void> => {
    while (isOpen) {
      try {
        const connection = await listener.accept();
        const socket = new DenoSocket(connection, endpoint, false);
        socket.handler = accepted(socket);
        socket.read();
      } catch (error) {
        if (!isOpen) return;
        failed(socketFailure("Cannot accept a connection", error));
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_RETRY_MS));
      }
    }
  };
  accept();
  return {
    address: { ...address, port: listener.addr.port ?? 0 },
    close() {
      isOpen = false;
      listener.close();
    },
  };
}

function connect(endpoint: ConnectEndpoint, handler: NativeSocketHandler): () => void {
  checkEndpoint("Deno", endpoint, lacking(endpoint, "localAddress"));
  const { address } = endpoint;
  const action = `Cannot connect to ${endpointText(address)}`;
  checkPermission(action, address);
  const controller = new AbortController();
  const options =
    address.family === "unix" ? target(address) : { ...target(address), signal: controller.signal };
  deno.connect(options).then(
    (connection) => {
      const socket = new DenoSocket(connection, endpoint, true);
      socket.handler = handler;
      handler.opened(socket);
      socket.read();
    },
    (error) => handler.closed(socketFailure(action, error)),
  );
  return () => controller.abort();
}
