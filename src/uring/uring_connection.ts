/** A connection over the ring: commands into shared memory, nothing else. One class, so that hot paths stay monomorphic. */

import type { TlsInfo } from "../tls.ts";
import type { Address, Connection, ConnectionHandler } from "../transport.ts";
import { addressText, readAddress } from "./endpoint.ts";
import {
  ADDRESS_LOCAL,
  ADDRESS_PEER,
  CLOSE_ABORT,
  CLOSE_FLUSH,
  COMMAND_CLOSE,
  COMMAND_END,
  COMMAND_PAUSE,
  COMMAND_RESUME,
  HANDLE_SLOT_MASK,
  QUEUED_GONE,
} from "./layout.ts";
import type { Ring } from "./ring.ts";
import { readTlsInfo } from "./tls_info.ts";

/** What a connection needs of its transport beyond the ring. */
export interface ConnectionHost {
  /** Hands everything gathered so far to C, without calling handlers. Afterwards there is room. */
  makeRoom(): void;
  /** Commands were added: sees to it that a turn comes. */
  touch(): void;
  /** The connection has committed and is to be settled once C has had it. */
  committed(connection: UringConnection): void;
}

/** {@link Connection} over io_uring. */
export class UringConnection implements Connection {
  handler: ConnectionHandler;
  /** The shim's handle; 0 once closed. */
  handle = 0;
  /** A connect has succeeded. */
  isOpen = false;
  receivedNs = 0;
  /** Whether it is among those that the host settles after a turn: nobody is there twice. */
  isUnsettled = false;
  /** Where the table of queued bytes tells of this connection. */
  #queuedIndex = 0;
  readonly #queued: Int32Array;
  /** The most that `queuedBytes` can have shown since the last `drained`. */
  #shown = 0;
  /**
   * Bytes committed in turn `#freshTurn`, which C has not seen while that is the current turn. For a connection
   * that is gone: all it committed since the last that C took, so that a loop of sends comes to its limit.
   */
  #fresh = 0;
  #freshTurn = -1;
  /** What the table said when this turn's first bytes were committed, 0 for a connection that is gone. */
  #base = 0;
  readonly out: Uint8Array;
  readonly maxReserveBytes: number;
  readonly #ring: Ring;
  readonly #host: ConnectionHost;
  readonly #isUnix: boolean;
  /** Where a connect goes, for its messages; undefined for an accepted connection. */
  readonly #target: Address | undefined;

  constructor(
    ring: Ring,
    host: ConnectionHost,
    handle: number,
    handler: ConnectionHandler,
    isUnix: boolean,
    target: Address | undefined,
  ) {
    this.handler = handler;
    this.handle = handle;
    this.out = ring.bytes;
    this.#queued = ring.queued;
    this.#queuedIndex = handle & HANDLE_SLOT_MASK;
    this.maxReserveBytes = ring.maxReserveBytes;
    this.#ring = ring;
    this.#host = host;
    this.#isUnix = isUnix;
    this.#target = target;
  }

  /** Whether it committed what C has not seen. */
  get hasFresh(): boolean {
    return this.#freshTurn === this.#ring.turnNumber;
  }

  get queuedBytes(): number {
    const queued = this.#queued[this.#queuedIndex];
    if (queued === QUEUED_GONE) return this.#fresh;
    return this.#freshTurn === this.#ring.turnNumber ? queued + this.#fresh : queued;
  }

  reserve(sizeBytes: number): number {
    const ring = this.#ring;
    if (!ring.hasRoom(sizeBytes)) this.#makeRoom(sizeBytes);
    ring.reservedAt = ring.sendNext;
    return ring.sendNext;
  }

  commit(end: number): void {
    const ring = this.#ring;
    const start = ring.reservedAt;
    if (start < 0 || end < start || end > ring.sendEnd) this.#refuseCommit(end);
    ring.reservedAt = -1;
    if (end === start || this.handle === 0) return;
    const bytes = end - start;
    const isFirst = ring.tailHandle !== this.handle;
    if (isFirst) this.#beginSend();
    ring.sendNext = end;
    this.#fresh += bytes;
    const shown = this.#base + this.#fresh;
    if (shown > this.#shown) this.#shown = shown;
    // At the end of the process this sends: the bytes have to be there.
    if (isFirst) this.#host.touch();
  }

  forward(start: number, end: number, at: number, key: number): void {
    this.#ring.copy(start, at, end - start, key);
  }

  pause(): void {
    this.#control(COMMAND_PAUSE, 0);
  }

  resume(): void {
    this.#control(COMMAND_RESUME, 0);
  }

  end(): void {
    this.#control(COMMAND_END, 0);
  }

  close(): void {
    this.#control(COMMAND_CLOSE, CLOSE_FLUSH);
  }

  abort(): void {
    this.#control(COMMAND_CLOSE, CLOSE_ABORT);
  }

  remoteAddress(): Address | undefined {
    return this.#address(ADDRESS_PEER);
  }

  localAddress(): Address | undefined {
    return this.#address(ADDRESS_LOCAL);
  }

  tls(): TlsInfo | undefined {
    if (this.handle === 0) return undefined;
    const text = this.#ring.tlsText(this.handle);
    return text === undefined ? undefined : readTlsInfo(text, this.#ring.peerCertificate(this.handle));
  }

  /** Calls `drained` if `queuedBytes` is below what was last shown. For the transport, once C has spoken. */
  settle(): void {
    // Nothing drains any more: `closed` comes.
    if (this.#queued[this.#queuedIndex] === QUEUED_GONE) return;
    const now = this.queuedBytes;
    if (now >= this.#shown) return;
    this.#shown = now;
    this.handler.drained();
  }

  /** Makes every later call do nothing. */
  retire(): void {
    this.handle = 0;
    this.#fresh = 0;
    this.#freshTurn = -1;
    this.losesSlot();
    this.#shown = 0;
  }

  /** The slot is another's now, and with it the word in the table. */
  losesSlot(): void {
    this.#queuedIndex = this.#queued.length - 1;
  }

  /** Whether it was asked for by `connect` and has not opened. */
  get isConnecting(): boolean {
    return this.#target !== undefined && !this.isOpen;
  }

  /** What failed, for messages: `Cannot connect to 127.0.0.1:80`. */
  get action(): string {
    if (this.#target === undefined) return "Lost a connection";
    const where = addressText(this.#target);
    return this.isOpen ? `Lost the connection to ${where}` : `Cannot connect to ${where}`;
  }

  /** Before the first bytes of a turn, or the first after a command of another connection. */
  #beginSend(): void {
    const queued = this.#queued[this.#queuedIndex];
    const isGone = queued === QUEUED_GONE;
    if (!isGone && this.#freshTurn !== this.#ring.turnNumber) this.#fresh = 0;
    this.#freshTurn = this.#ring.turnNumber;
    this.#base = isGone ? 0 : queued;
    this.#ring.beginSend(this.handle);
    if (this.isUnsettled) return;
    this.isUnsettled = true;
    this.#host.committed(this);
  }

  #control(op: number, argument: number): void {
    if (this.handle === 0) return;
    if (!this.#ring.hasRoom(0)) this.#host.makeRoom();
    this.#ring.reservedAt = -1;
    this.#ring.control(op, this.handle, argument);
    this.#host.touch();
  }

  #makeRoom(sizeBytes: number): void {
    if (sizeBytes > this.maxReserveBytes) {
      throw new RangeError(`Cannot reserve ${sizeBytes} bytes; maxReserveBytes is ${this.maxReserveBytes}`);
    }
    this.#host.makeRoom();
  }

  #refuseCommit(end: number): void {
    throw new RangeError(`Cannot commit up to ${end}: no reservation reaches there`);
  }

  #address(which: number): Address | undefined {
    if (this.handle === 0) return undefined;
    const text = this.#ring.address(this.handle, which);
    return text === undefined ? undefined : readAddress(text, this.#isUnix);
  }
}
