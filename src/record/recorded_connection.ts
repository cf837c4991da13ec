/** A connection that is recorded: stands between the transport's connection and its handler, and passes everything on. */

import type { RingwireError } from "../errors.ts";
import type { CopyCrc32 } from "../protocol/codec.ts";
import type { TlsInfo } from "../tls.ts";
import type { Address, Connection, ConnectionHandler } from "../transport.ts";
import { KIND_END } from "./record_format.ts";
import type { RecordWriter, Tap } from "./record_writer.ts";

/** What an open record says of a connection. */
export interface ConnectionFacts {
  /** Who connected: we (`client`) or the peer (`server`). */
  readonly role: "client" | "server";
  /** What a client asked for, without a password; absent on servers. */
  readonly url?: string;
  readonly remote?: Address;
  readonly local?: Address;
  /** Whether TLS was below; the recorded bytes are plain all the same. */
  readonly tls?: string;
}

/** What a recorded connection needs beside its transport. */
export interface RecordingSession {
  readonly writer: RecordWriter;
  readonly url: string | undefined;
  /** Of the loop's codec. */
  readonly copyCrc32: CopyCrc32;
  nowNs(): number;
  /** As `Engine.soon`. */
  soon(callback: () => void): void;
  /** The connection is gone. */
  release(): void;
}

/** See the top of this file. */
export class RecordedConnection implements Connection, ConnectionHandler {
  handler: ConnectionHandler;
  /** The kernel's stamp, or else the time that the recording has: a replay gives it to the program again. */
  receivedNs = 0;
  /** The transport's; set by whoever makes both. */
  inner: Connection | undefined = undefined;
  readonly #session: RecordingSession;
  /** Where a client goes, as it has asked: what the system says of a Unix socket is not always its path. */
  readonly #target: Address | undefined;
  readonly #nowNs: () => number;
  readonly #endRun: () => void;
  #tap: Tap | undefined = undefined;
  #reservedAt = 0;
  #isClosed = false;

  constructor(session: RecordingSession, handler: ConnectionHandler, target: Address | undefined) {
    this.handler = handler;
    this.#session = session;
    this.#target = target;
    this.#nowNs = (): number => session.nowNs();
    this.#endRun = (): void => session.writer.endRun();
  }

  get #connection(): Connection {
    return this.inner as Connection;
  }

  // ── Connection ───────────────────────────────────────────────────────────────────────────────

  get queuedBytes(): number {
    return this.#connection.queuedBytes;
  }

  get out(): Uint8Array {
    return this.#connection.out;
  }

  get maxReserveBytes(): number {
    return this.#connection.maxReserveBytes;
  }

  reserve(sizeBytes: number): number {
    this.#reservedAt = this.#connection.reserve(sizeBytes);
    return this.#reservedAt;
  }

  commit(end: number): void {
    const connection = this.#connection;
    const out = connection.out;
    connection.commit(end);
    if (this.#tap === undefined || this.#isClosed || end === this.#reservedAt) return;
    const { writer } = this.#session;
    if (writer.sent(this.#tap, this.#nowNs, out, this.#reservedAt, end)) this.#session.soon(this.#endRun);
  }

  pause(): void {
    this.#connection.pause();
  }

  resume(): void {
    this.#connection.resume();
  }

  end(): void {
    this.#connection.end();
  }

  close(): void {
    this.#connection.close();
  }

  abort(): void {
    this.#connection.abort();
  }

  remoteAddress(): Address | undefined {
    return this.#connection.remoteAddress();
  }

  localAddress(): Address | undefined {
    return this.#connection.localAddress();
  }

  tls(): TlsInfo | undefined {
    return this.#connection.tls();
  }

  // ── ConnectionHandler ────────────────────────────────────────────────────────────────────────

  opened(): void {
    this.begin("client");
    this.handler.opened();
  }

  received(bytes: Uint8Array, start: number, end: number): void {
    // First: the handler may unmask in place.
    const timeNs = this.#nowNs();
    this.receivedNs = this.#connection.receivedNs || timeNs;
    if (this.#tap !== undefined) this.#session.writer.received(this.#tap, timeNs, bytes, start, end);
    this.handler.received(bytes, start, end);
  }

  ended(): void {
    if (this.#tap !== undefined) this.#session.writer.note(this.#tap, KIND_END, this.#nowNs());
    this.handler.ended();
  }

  drained(): void {
    this.handler.drained();
  }

  closed(error: RingwireError | undefined): void {
    this.#isClosed = true;
    if (this.#tap !== undefined) this.#session.writer.closed(this.#tap, this.#nowNs(), error);
    this.#session.release();
    this.handler.closed(error);
  }

  /** The connection stands: from now on it is recorded. */
  begin(role: "client" | "server"): void {
    const { url, writer, copyCrc32 } = this.#session;
    const remote = this.#target ?? this.remoteAddress();
    const local = this.localAddress();
    const tls = this.tls()?.version;
    const facts: ConnectionFacts = {
      role,
      ...(url === undefined ? {} : { url }),
      ...(remote === undefined ? {} : { remote }),
      ...(local === undefined ? {} : { local }),
      ...(tls === undefined ? {} : { tls }),
    };
    this.#tap = writer.open(facts, this.#nowNs(), copyCrc32);
  }
}
