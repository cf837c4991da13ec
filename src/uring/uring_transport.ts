/** {@link Transport} over io_uring: opens the pieces, and keeps them together. */

import { noFolderError, RingwireError } from "../errors.ts";
import type { Codec } from "../protocol/codec.ts";
import type { Kernels } from "../protocol/kernels.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { ClientTlsSettings, ServerTlsSettings } from "../tls.ts";
import type {
  ConnectEndpoint,
  Connection,
  ConnectionHandler,
  ListenEndpoint,
  Listener,
  ListenerHandler,
  Transport,
  TransportLimits,
  TransportStats,
} from "../transport.ts";
import { Dispatcher } from "./dispatcher.ts";
import { Driver, type DriverOptions } from "./driver.ts";
import { addressText, readAddress, writeConnectEndpoint, writeListenEndpoint } from "./endpoint.ts";
import { ENOENT, ENOTDIR, errnoName, socketError } from "./errno.ts";
import { KernelClock } from "./kernel_clock.ts";
import * as layout from "./layout.ts";
import { Ring } from "./ring.ts";
import { openShim, type Shim } from "./shim.ts";
import { ShimCodec } from "./shim_codec.ts";
import { THRESHOLDS } from "./thresholds.ts";
import { TlsContexts } from "./tls_contexts.ts";
import { UringConnection } from "./uring_connection.ts";
import { UringKernels } from "./uring_kernels.ts";
import { UringListener } from "./uring_listener.ts";

/** What {@link openUringTransport} takes. */
export interface UringTransportOptions extends DriverOptions {
  readonly runtime: Runtime;
  /** Path of the shim; undefined when the search found none. */
  readonly library: string | undefined;
  readonly limits: TransportLimits;
  /** `FEATURE_*` bits not to use, for tests and comparisons. @default 0 */
  readonly disabledFeatures?: number;
  /** Whether connections tell when the kernel received what they bring. @default false */
  readonly receiveStamps?: boolean;
}

/**
 * Opens a transport over io_uring.
 *
 * @throws RingwireError `ERR_TRANSPORT_UNAVAILABLE` when the system does not give io_uring; the message says why.
 * @throws RingwireError `ERR_LIBRARY` when the shim is missing or does not fit.
 * @throws RingwireError `ERR_UNSUPPORTED` when stamps are asked for and the kernel does not give them.
 * @throws RangeError when the arenas are too small or too large.
 */
export function openUringTransport(options: UringTransportOptions): Transport {
  const { runtime, limits } = options;
  if (runtime.platform !== "linux") {
    throw new RingwireError(
      "ERR_TRANSPORT_UNAVAILABLE",
      `Cannot use io_uring: io_uring needs Linux, this is ${runtime.platform}`,
    );
  }
  const shim = openShim(runtime, options.library);
  const wanted = options.receiveStamps === true ? layout.FEATURE_RECEIVE_STAMPS : 0;
  const ring = Ring.open(shim, limits, options.disabledFeatures ?? 0, wanted);
  if ((ring.features & wanted) !== wanted) {
    const found = ring.text();
    ring.close();
    throw new RingwireError("ERR_UNSUPPORTED", `Cannot have the kernel's receive timestamps: ${found}`);
  }
  return new UringTransport(ring, shim, options);
}

/** Sentinel of `poll`: longer waits than rw_turn can count are endless. */
const MAX_WAIT_US = 2 ** 31 - 1;

class UringTransport implements Transport {
  readonly kind = "uring" as const;
  readonly canPoll = true;
  readonly kernels: Kernels;
  readonly #ring: Ring;
  readonly #dispatcher: Dispatcher;
  readonly #driver: Driver;
  readonly #found: string;
  readonly #isStamped: boolean;
  readonly #contexts: TlsContexts;
  readonly #openCodec: () => Codec;
  #codec: Codec | undefined = undefined;

  constructor(ring: Ring, shim: Shim, options: UringTransportOptions) {
    this.#ring = ring;
    this.#found = ring.text();
    this.#contexts = new TlsContexts(shim, options.runtime);
    this.#isStamped = options.receiveStamps === true;
    this.#openCodec = () => new ShimCodec(shim);
    this.kernels = new UringKernels(ring, shim, THRESHOLDS[options.runtime.name]);
    const dispatcher = new Dispatcher(
      ring,
      new KernelClock(ring, () => options.runtime.nowMs()),
      () => this.#driver.touch(),
      (isAlive) => this.#driver.setAlive(isAlive),
    );
    this.#dispatcher = dispatcher;
    this.#driver = new Driver(options.runtime, ring, dispatcher, options, (error) => this.#broken(error));
    this.#driver.start((ring.features & layout.FEATURE_PARKING) !== 0);
  }

  get reason(): string {
    const lost = this.#driver.noParkReason;
    return lost === undefined
      ? this.#found
      : `${this.#found}; cannot sleep, looks every millisecond: ${lost}`;
  }

  get codec(): Codec {
    this.#codec ??= this.#openCodec();
    return this.#codec;
  }

  async listen(endpoint: ListenEndpoint, handler: ListenerHandler): Promise<Listener> {
    const action = `Cannot listen on ${addressText(endpoint.address)}`;
    this.#checkOpen(action);
    const context = endpoint.tls === undefined ? 0 : this.#contexts.server(this.#tlsOf(endpoint.tls));
    let result = -1;
    try {
      writeListenEndpoint(this.#ring.bytes, endpoint, context);
      result = this.#ring.listen();
    } finally {
      if (result < 0) this.#contexts.closeServer(context);
    }
    if (result === -ENOENT || result === -ENOTDIR) throw noFolderError(action, errnoName(-result));
    if (result < 0) throw socketError(action, -result);
    const handle = this.#ring.newHandle;
    const isUnix = endpoint.address.family === "unix";
    const text = this.#ring.address(handle, layout.ADDRESS_LOCAL);
    const address = text === undefined || isUnix ? endpoint.address : readAddress(text, false);
    const listener = new UringListener(
      handle,
      address,
      handler,
      (closing) => {
        this.#ring.unlisten(closing.handle);
        this.#contexts.closeServer(context);
        this.#dispatcher.removeListener(closing);
      },
      context === 0
        ? undefined
        : (settings): void => this.#contexts.updateServer(context, this.#tlsOf(settings)),
    );
    this.#dispatcher.addListener(listener);
    this.#dispatcher.touch();
    return listener;
  }

  connect(endpoint: ConnectEndpoint, handler: ConnectionHandler): Connection {
    const { address } = endpoint;
    this.#checkOpen(`Cannot connect to ${addressText(address)}`);
    const context = endpoint.tls === undefined ? 0 : this.#contexts.client(this.#tlsOf(endpoint.tls));
    writeConnectEndpoint(this.#ring.bytes, endpoint, context);
    const result = this.#ring.connect();
    if (result < 0) throw socketError(`Cannot connect to ${addressText(address)}`, -result);
    const handle = this.#ring.newHandle;
    const isUnix = address.family === "unix";
    const connection = new UringConnection(this.#ring, this.#dispatcher, handle, handler, isUnix, address);
    this.#dispatcher.addConnection(connection);
    this.#dispatcher.touch();
    return connection;
  }

  flush(): void {
    if (!this.#ring.isOpen || this.#ring.commandCount === 0) return;
    this.#dispatcher.flush();
    this.#dispatcher.touch();
  }

  exit(): void {
    this.flush();
    this.#dispatcher.exit();
  }

  poll(waitUs: number): number {
    if (this.#dispatcher.isHandling) {
      throw new RingwireError(
        "ERR_DRIVE_UNAVAILABLE",
        "Cannot poll from inside a handler; return from it first",
      );
    }
    this.#checkOpen("Cannot poll");
    const count = this.#dispatcher.takeTurn(
      false,
      waitUs > MAX_WAIT_US ? -1 : Math.max(0, Math.ceil(waitUs)),
    );
    // What the handlers committed leaves now; what that brings is handled next time.
    if (this.#ring.commandCount > 0) this.#dispatcher.flush();
    this.#dispatcher.touch();
    return count;
  }

  stats(): TransportStats {
    return {
      connections: this.#dispatcher.connectionCount,
      turns: this.#ring.field(layout.FIELD_STAT_TURNS),
      enters: this.#ring.field(layout.FIELD_STAT_ENTERS),
      shortSends: this.#ring.field(layout.FIELD_STAT_SHORT_SENDS),
      noBuffers: this.#ring.field(layout.FIELD_STAT_NO_BUFFERS),
      parks: this.#ring.field(layout.FIELD_STAT_PARKS),
      handshakes: this.#ring.field(layout.FIELD_STAT_HANDSHAKES),
      resumptions: this.#ring.field(layout.FIELD_STAT_RESUMPTIONS),
    };
  }

  close(): void {
    this.#close(undefined);
  }

  /** The system no longer takes turns of this ring: every connection learns it. */
  #broken(error: unknown): void {
    this.#close(
      error instanceof RingwireError
        ? error
        : new RingwireError("ERR_SYSTEM", "Lost the ring", { cause: error }),
    );
  }

  #close(error: RingwireError | undefined): void {
    if (!this.#ring.isOpen) return;
    this.#driver.close();
    this.#ring.close();
    this.#dispatcher.close(error);
    this.#contexts.close();
    this.#codec?.close();
  }

  /** A receive with stamps would get TLS records of any kind: the kernel must not decrypt, and its sending goes with it. */
  #tlsOf<Settings extends ClientTlsSettings | ServerTlsSettings>(settings: Settings): Settings {
    if (!this.#isStamped) return settings;
    if (settings.ktls !== true) return { ...settings, ktls: false };
    throw new RingwireError(
      "ERR_UNSUPPORTED",
      'Cannot use tls.ktls on a loop with receiveTimestamps "kernel": kernels give one or the other',
    );
  }

  #checkOpen(action: string): void {
    if (!this.#ring.isOpen) throw new RingwireError("ERR_NOT_OPEN", `${action}: the loop is closed`);
  }
}
