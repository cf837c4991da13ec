/** Puts a recorder between a loop's transport and whoever connects or listens through it. */

import type { Engine } from "../loop.ts";
import type { Codec } from "../protocol/codec.ts";
import type { Kernels } from "../protocol/kernels.ts";
import { withoutUser } from "../protocol/url.ts";
import {
  type ConnectEndpoint,
  type Connection,
  type ConnectionHandler,
  type ListenEndpoint,
  type Listener,
  type ListenerHandler,
  NOBODY,
  type Transport,
  type TransportStats,
} from "../transport.ts";
import { RecordedConnection, type RecordingSession } from "./recorded_connection.ts";
import { Recorder, shareRecorder, writerOf } from "./recorder.ts";

/**
 * An engine like the given one, but whose connections are recorded; the same engine when nothing is asked for.
 *
 * @param record - The option `record`: a recorder, or the path of a file.
 * @param url - What clients connect to.
 * @throws TypeError for anything else.
 */
export function recordedEngine(engine: Engine, record: Recorder | string | undefined, url?: string): Engine {
  if (record === undefined) return engine;
  if (typeof record !== "string" && !(record instanceof Recorder)) {
    throw new TypeError(`Option "record" must be a Recorder or a path, not ${typeof record}`);
  }
  return { ...engine, transport: new RecordedTransport(engine, record, url && withoutUser(url)) };
}

/** A transport that records what it connects and accepts. */
class RecordedTransport implements Transport {
  readonly #engine: Engine;
  readonly #inner: Transport;
  readonly #record: Recorder | string;
  readonly #url: string | undefined;

  constructor(engine: Engine, record: Recorder | string, url: string | undefined) {
    this.#engine = engine;
    this.#inner = engine.transport;
    this.#record = record;
    this.#url = url;
  }

  get kind(): Transport["kind"] {
    return this.#inner.kind;
  }

  get reason(): string {
    return this.#inner.reason;
  }

  get kernels(): Kernels {
    return this.#inner.kernels;
  }

  get codec(): Codec {
    return this.#inner.codec;
  }

  get canPoll(): boolean {
    return this.#inner.canPoll;
  }

  async listen(endpoint: ListenEndpoint, handler: ListenerHandler): Promise<Listener> {
    // Held while it listens, so that a file named by its path stays open between two connections.
    const { release } = this.#session();
    try {
      const listener = await this.#inner.listen(endpoint, {
        accepted: (connection) => this.#accepted(connection, handler),
        failed: (error) => handler.failed(error),
      });
      return new RecordedListener(listener, release);
    } catch (error) {
      release();
      throw error;
    }
  }

  connect(endpoint: ConnectEndpoint, handler: ConnectionHandler): Connection {
    const session = this.#session();
    const recorded = new RecordedConnection(session, handler, endpoint.address);
    try {
      recorded.inner = this.#inner.connect(endpoint, recorded);
    } catch (error) {
      session.release();
      throw error;
    }
    return recorded;
  }

  flush(): void {
    this.#inner.flush();
  }

  exit(): void {
    this.#inner.exit();
  }

  poll(waitUs: number): number {
    return this.#inner.poll(waitUs);
  }

  stats(): TransportStats {
    return this.#inner.stats();
  }

  close(): void {
    this.#inner.close();
  }

  #accepted(connection: Connection, handler: ListenerHandler): ConnectionHandler {
    const recorded = new RecordedConnection(this.#session(), NOBODY, undefined);
    recorded.inner = connection;
    recorded.begin("server");
    recorded.handler = handler.accepted(recorded);
    return recorded;
  }

  #session(): RecordingSession {
    const { runtime, soon } = this.#engine;
    const { copyCrc32 } = this.#inner.codec;
    const record = this.#record;
    const shared =
      typeof record === "string"
        ? shareRecorder(record)
        : { writer: writerOf(record), release: (): void => {} };
    return { ...shared, url: this.#url, copyCrc32, nowNs: () => Math.round(runtime.nowMs() * 1e6), soon };
  }
}

/** Lets go of the recorder when it stops listening. */
class RecordedListener implements Listener {
  readonly #inner: Listener;
  readonly #release: () => void;
  #isClosed = false;

  constructor(inner: Listener, release: () => void) {
    this.#inner = inner;
    this.#release = release;
  }

  get address(): Listener["address"] {
    return this.#inner.address;
  }

  close(): void {
    this.#inner.close();
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#release();
  }

  updateTls(settings: Parameters<Listener["updateTls"]>[0]): void {
    this.#inner.updateTls(settings);
  }
}
