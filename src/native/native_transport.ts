/**
 * A transport over the runtime's own sockets, for where io_uring is not to be had. The runtime's event loop
 * drives it: a turn is one callback of a socket, and what its handler sends leaves when it returns.
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
import { Arena } from "./arena.ts";
import { type ConnectionHost, NativeConnection } from "./native_connection.ts";
import { NativeKernels } from "./native_kernels.ts";

/** Larger gains nothing: the system takes less than this at once. */
const MAX_ARENA_BYTES = 1 << 20;
/** How long after our FIN the peer may take to send its own before the socket is closed all the same. */
const LINGER_MS = 1_000;

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

/** Turns of one transport: when what was committed is flushed, and when deferred callbacks come. */
class Turns implements ConnectionHost {
  readonly arena: Arena;
  readonly maxQueuedBytes: number;
  count = 0;
  shortSends = 0;
  handshakes = 0;
  resumptions = 0;
  readonly #runtime: Runtime;
  readonly #maxQueuedTotalBytes: number;
  readonly #spinMs: number;
  readonly #connections: Set<NativeConnection>;
  /** Handlers being run, one inside the other. */
  #depth = 0;
  #dirty: NativeConnection[] = [];
  /** Flushed ones that may have something to hear from `settle`. */
  #flushed: NativeConnection[] = [];
  #spare: NativeConnection[] = [];
  #dead: NativeConnection[] = [];
  #queuedTotalBytes = 0;
  #microtaskQueued = false;
  #taskQueued = false;
  #spinUntilMs = 0;
  #isSpinning = false;
  readonly #onMicrotask = (): void => this.#microtask();
  readonly #onTask = (): void => this.#task();
  readonly #onSpin = (): void => this.#spin();

  constructor(runtime: Runtime, limits: TransportLimits, spinMs: number, connections: Set<NativeConnection>) {
    this.arena = new Arena(Math.min(limits.sendArenaBytes, MAX_ARENA_BYTES));
    this.maxQueuedBytes = limits.maxQueuedBytes;
    this.#maxQueuedTotalBytes = limits.maxQueuedTotalBytes;
    this.#runtime = runtime;
    this.#spinMs = spinMs;
    this.#connections = connections;
  }

  // ── ConnectionHost ───────────────────────────────────────────────────────────────────────────

  makeRoom(sizeBytes: number): void {
    if (!this.arena.grow(sizeBytes)) this.#flushDirty();
  }

  touch(connection: NativeConnection): void {
    if (connection.isDirty) return;
    connection.isDirty = true;
    this.#dirty.push(connection);
    if (this.#depth === 0) this.#askMicrotask();
  }

  enter(): void {
    this.#depth++;
  }

  leave(): void {
    if (this.#depth > 1) {
      this.#depth--;
      return;
    }
    this.#settle();
    this.#depth = 0;
    this.count++;
    if (this.#spinMs > 0) this.#keepSpinning();
  }

  stands(socket: NativeSocket): void {
    const tls = socket.tls();
    if (tls === undefined) return;
    this.handshakes++;
    if (tls.resumed) this.resumptions++;
  }

  threw(error: unknown): void {
    this.#runtime.defer(() => {
      throw error;
    });
  }

  queuedChanged(differenceBytes: number): boolean {
    this.#queuedTotalBytes += differenceBytes;
    return differenceBytes <= 0 || this.#queuedTotalBytes <= this.#maxQueuedTotalBytes;
  }

  shortSend(): void {
    this.shortSends++;
  }

  linger(callback: () => void): () => void {
    return this.#runtime.setTimer(callback, LINGER_MS);
  }

  died(connection: NativeConnection): void {
    this.#connections.delete(connection);
    this.#dead.push(connection);
    this.#askMicrotask();
  }

  // ── for the transport ────────────────────────────────────────────────────────────────────────

  flush(): void {
    this.#flushDirty();
    if (this.#depth === 0 && this.#flushed.length > 0) this.#askMicrotask();
  }

  /** Delivers every `closed` now. */
  close(): void {
    this.#deliverClosed();
    this.#dirty.length = 0;
    this.#flushed.length = 0;
    this.#spinUntilMs = 0;
  }

  // ── inside ───────────────────────────────────────────────────────────────────────────────────

  #askMicrotask(): void {
    if (this.#microtaskQueued) return;
    this.#microtaskQueued = true;
    queueMicrotask(this.#onMicrotask);
  }

  #microtask(): void {
    this.#microtaskQueued = false;
    this.#deliverClosed();
    this.enter();
    this.leave();
  }

  #task(): void {
    this.#taskQueued = false;
    this.enter();
    this.leave();
  }

  #deliverClosed(): void {
    while (this.#dead.length > 0) {
      for (const connection of this.#dead.splice(0)) connection.deliverClosed();
    }
  }

  #flushDirty(): void {
    const dirty = this.#dirty;
    // A flush can touch nobody else, but its own connection may die; both leave this list alone.
    for (const connection of dirty) {
      connection.flush();
      this.#flushed.push(connection);
    }
    dirty.length = 0;
    this.arena.rewind();
  }

  /**
   * The end of a turn: flushes, calls `drained` where the queue is shorter, flushes what that has sent. Who
   * still wants to hear more then waits for a task, or a sender that goes on in `drained` would starve the rest.
   */
  #settle(): void {
    if (this.#dirty.length > 0) this.#flushDirty();
    if (this.#flushed.length === 0) return;
    const flushed = this.#flushed;
    this.#flushed = this.#spare;
    this.#spare = flushed;
    for (const connection of flushed) connection.settle();
    flushed.length = 0;
    if (this.#dirty.length > 0) this.#flushDirty();
    if (this.#flushed.length > 0 && !this.#taskQueued) {
      this.#taskQueued = true;
      this.#runtime.defer(this.#onTask);
    }
  }

  /** Keeps the runtime's loop from sleeping for a while after the last turn. */
  #keepSpinning(): void {
    this.#spinUntilMs = this.#runtime.nowMs() + this.#spinMs;
    if (this.#isSpinning) return;
    this.#isSpinning = true;
    this.#runtime.defer(this.#onSpin);
  }

  #spin(): void {
    this.#isSpinning = this.#runtime.nowMs() < this.#spinUntilMs;
    if (this.#isSpinning) this.#runtime.defer(this.#onSpin);
  }
}
