/** A connection whose peer is a recording: what it is sent is counted and forgotten. */

import { RingwireError } from "../errors.ts";
import type { TlsInfo } from "../tls.ts";
import type { Address, Connection, ConnectionHandler } from "../transport.ts";
import { HandshakeKey } from "./handshake_key.ts";

/** What a connection needs of its replay. */
export interface ReplayHost {
  /** Where all connections write what is forgotten. */
  readonly scratch: Uint8Array;
  readonly sha1Base64: (text: string) => string;
  /** Something changed for which the recording may have waited. */
  wake(): void;
  /** The program closes: asks for `closed`, later. */
  left(connection: ReplayConnection): void;
}

/** See the top of this file. */
export class ReplayConnection implements Connection {
  handler: ConnectionHandler;
  readonly queuedBytes: number = 0;
  readonly maxReserveBytes: number;
  /** The peer's address: asked for by a client, recorded for a server. */
  readonly remote: Address;
  local: Address | undefined = undefined;
  /** The recorded stream has begun. */
  isOpen = false;
  isPaused = false;
  isClosed = false;
  /** Bytes sent by the program, and by who was recorded, up to here. */
  sentBytes = 0;
  recordedBytes = 0;
  readonly #host: ReplayHost;
  readonly #key: HandshakeKey | undefined;
  #reservedBytes = -1;

  constructor(host: ReplayHost, handler: ConnectionHandler, remote: Address, isClient: boolean) {
    this.handler = handler;
    this.remote = remote;
    this.maxReserveBytes = host.scratch.length;
    this.#host = host;
    this.#key = isClient ? new HandshakeKey(host.sha1Base64) : undefined;
  }

  // ── Connection ───────────────────────────────────────────────────────────────────────────────

  get out(): Uint8Array {
    return this.#host.scratch;
  }

  reserve(sizeBytes: number): number {
    if (sizeBytes > this.maxReserveBytes) {
      throw new RangeError(`Cannot reserve ${sizeBytes} bytes; maxReserveBytes is ${this.maxReserveBytes}`);
    }
    this.#reservedBytes = sizeBytes;
    return 0;
  }

  commit(end: number): void {
    if (end > this.#reservedBytes) {
      throw new RangeError(`Cannot commit up to ${end}: no reservation reaches there`);
    }
    this.#reservedBytes = -1;
    this.sentBytes += end;
    if (this.#key?.isDone === false) this.#key.sent(this.out, 0, end);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.#host.wake();
  }

  end(): void {
    // The recorded peer does what it did.
  }

  close(): void {
    if (!this.isClosed) this.#host.left(this);
  }

  abort(): void {
    this.close();
  }

  remoteAddress(): Address | undefined {
    return this.isOpen && !this.isClosed ? this.remote : undefined;
  }

  localAddress(): Address | undefined {
    return this.isOpen && !this.isClosed ? this.local : undefined;
  }

  tls(): TlsInfo | undefined {
    return undefined;
  }

  // ── from the recording ───────────────────────────────────────────────────────────────────────

  recordedOut(bytes: Uint8Array): void {
    this.recordedBytes += bytes.length;
    if (this.#key?.isDone === false) this.#key.recorded(bytes);
  }

  recordedIn(bytes: Uint8Array): void {
    const given = this.#key === undefined || this.#key.isDone ? bytes : this.#key.received(bytes);
    if (given !== undefined) this.handler.received(given, 0, given.length);
  }

  recordedEnd(): void {
    this.#giveRest();
    if (!this.isClosed) this.handler.ended();
  }

  /** The last callback. */
  finish(error: RingwireError | undefined): void {
    if (this.isClosed) return;
    this.#giveRest();
    this.isClosed = true;
    this.handler.closed(error);
  }

  #giveRest(): void {
    if (this.#key === undefined || this.#key.isDone || !this.isOpen) return;
    const rest = this.#key.rest();
    if (rest.length > 0) this.handler.received(rest, 0, rest.length);
  }
}

/** What ends a connection that the recording does not see to its end. */
export function recordingError(path: string, why: string): RingwireError {
  return new RingwireError("ERR_RECORDING", `Replaying "${path}": ${why}`);
}
