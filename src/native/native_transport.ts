/**
 * A transport over the runtime's own sockets, for where io_uring is not to be had. The runtime's event loop
 * drives it: a turn is one callback of a socket, and what its handler sends leaves when it returns, or, where many sockets have something in one
 * round of that loop, at the end of the round.
 */

import { RingwireError } from "../errors.ts";
import type { Codec } from "../protocol/codec.ts";
import type { Kernels } from "../protocol/kernels.ts";
import type { NativeListener, NativeSocket, NativeSocketHandler, Runtime } from "../runtime/runtime.ts";
import type {
  ConnectEndpoint,
  Connection,
  ConnectionHandler,
  DriveOptions,
  ListenEndpoint,
  Listener,
  ListenerHandler,
  Transport,
  TransportLimits,
  TransportStats,
} from "../transport.ts";
import { NativeConnection } from "./native_connection.ts";
import { NativeKernels } from "./native_kernels.ts";
import { Turns } from "./turns.ts";

/** Takes a socket that nobody wants. */
const REFUSED: NativeSocketHandler = {
  opened() {},
  received() {},
  writable() {},
  ended() {},
  closed() {},
};

/** What {@link openNativeTransport} takes. */
export interface NativeTransportOptions extends DriveOptions {
  readonly runtime: Runtime;
  readonly limits: TransportLimits;
  /** Why native sockets are used, for people. */
  readonly reason: string;
  /** Opens the codec when it is first needed. @default runtime.openCodec */
  readonly openCodec?: () => Codec;
}

/** Opens a transport over `runtime.sockets`. Nothing is taken from the system until it listens or connects. */
export function openNativeTransport(options: NativeTransportOptions): Transport {
  return new NativeTransport(options);
}

class NativeTransport implements Transport {
  readonly kind = "native" as const;
  readonly reason: string;
  readonly kernels: Kernels;
  readonly canPoll = false;
  readonly #runtime: Runtime;
  readonly #limits: TransportLimits;
  readonly #spinMs: number;
  readonly #turns: Turns;
  readonly #connections: Set<NativeConnection> = new Set();
  readonly #listeners: Set<NativeListener> = new Set();
  readonly #openCodec: () => Codec;
  #codec: Codec | undefined = undefined;
  #isClosed = false;

  constructor(options: NativeTransportOptions) {
    this.#runtime = options.runtime;
    this.#limits = options.limits;
    this.reason = options.reason;
    this.#openCodec = options.openCodec ?? (() => options.runtime.openCodec());
    this.#spinMs = options.drive === "spin" ? options.spinUs / 1_000 : 0;
    this.#turns = new Turns(options.runtime, options.limits, this.#spinMs, this.#connections);
    this.kernels = new NativeKernels(this.#turns.arena);
  }

  get codec(): Codec {
    this.#codec ??= this.#openCodec();
    return this.#codec;
  }

  async listen(endpoint: ListenEndpoint, handler: ListenerHandler): Promise<Listener> {
    this.#checkOpen("listen");
    if (this.#isFull()) throw this.#tooMany("listen");
    let isOpen = true;
    const listener = await this.#runtime.sockets.listen(
      endpoint,
      (socket) => (isOpen && !this.#isClosed ? this.#accept(socket, handler) : refuse(socket)),
      (error) => this.#acceptFailed(handler, error),
    );
    if (this.#isClosed) {
      listener.close();
      this.#checkOpen("listen");
    }
    this.#listeners.add(listener);
    return {
      address: listener.address,
      close: (): void => {
        if (!isOpen) return;
        isOpen = false;
        this.#listeners.delete(listener);
        listener.close();
      },
      updateTls: (settings): void => listener.updateTls(settings),
    };
  }

  connect(endpoint: ConnectEndpoint, handler: ConnectionHandler): Connection {
    this.#checkOpen("connect");
    if (this.#isFull()) throw this.#tooMany("connect");
    const connection = new NativeConnection(this.#turns);
    connection.handler = handler;
    const connecting = this.#runtime.sockets.connect(endpoint, connection);
    this.#connections.add(connection);
    connection.connecting(connecting);
    return connection;
  }

  flush(): void {
    this.#turns.flush();
  }

  exit(): void {
    this.#turns.exit();
  }

  poll(): number {
    throw new RingwireError(
      "ERR_DRIVE_UNAVAILABLE",
      'Cannot poll native sockets: the runtime\'s event loop drives them; use drive "auto" or "spin"',
    );
  }

  stats(): TransportStats {
    return {
      connections: this.#connections.size,
      turns: this.#turns.count,
      enters: 0,
      shortSends: this.#turns.shortSends,
      noBuffers: 0,
      parks: 0,
      handshakes: this.#turns.handshakes,
      resumptions: this.#turns.resumptions,
    };
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const listener of this.#listeners) listener.close();
    this.#listeners.clear();
    for (const connection of this.#connections) connection.abort();
    this.#turns.close();
    this.#codec?.close();
  }

  #accept(socket: NativeSocket, handler: ListenerHandler): NativeSocketHandler {
    if (this.#isFull()) {
      this.#acceptFailed(handler, this.#tooMany("accept a connection"));
      return refuse(socket);
    }
    const turns = this.#turns;
    const connection = new NativeConnection(turns);
    connection.attach(socket);
    this.#connections.add(connection);
    turns.enter();
    try {
      connection.handler = handler.accepted(connection);
    } catch (error) {
      connection.abort();
      turns.threw(error);
    }
    turns.leave();
    return connection;
  }

  #acceptFailed(handler: ListenerHandler, error: RingwireError): void {
    if (this.#isClosed) return;
    this.#turns.enter();
    try {
      handler.failed(error);
    } catch (thrown) {
      this.#turns.threw(thrown);
    }
    this.#turns.leave();
  }

  #isFull(): boolean {
    return this.#connections.size + this.#listeners.size >= this.#limits.maxConnections;
  }

  #tooMany(action: string): RingwireError {
    return new RingwireError(
      "ERR_TOO_MANY_CONNECTIONS",
      `Cannot ${action}: ${this.#limits.maxConnections} connections and listeners are open (maxConnections)`,
    );
  }

  #checkOpen(action: string): void {
    if (this.#isClosed) throw new RingwireError("ERR_NOT_OPEN", `Cannot ${action}: the transport is closed`);
  }
}

function refuse(socket: NativeSocket): NativeSocketHandler {
  socket.abort();
  return REFUSED;
}
