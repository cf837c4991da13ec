/** A connection over a runtime's own socket: gathers what a turn commits, queues what the system does not take. */

import { RingwireError } from "../errors.ts";
import type { NativeConnecting, NativeSocket, NativeSocketHandler } from "../runtime/runtime.ts";
import type { TlsInfo } from "../tls.ts";
import { type Address, type Connection, type ConnectionHandler, NOBODY } from "../transport.ts";
import type { Arena } from "./arena.ts";
import { SendQueue } from "./send_queue.ts";

/** From this size on, a piece of a turn is written by itself rather than copied behind another piece. */
const WRITE_ALONE_BYTES = 16_384;

/** What a connection needs of its transport. */
export interface ConnectionHost {
  readonly arena: Arena;
  readonly maxQueuedBytes: number;
  /** Makes room in the arena. May flush. */
  makeRoom(sizeBytes: number): void;
  /** Asks for `flush`, at the end of the turn or of the loop's round; outside of a turn, in a microtask. */
  touch(connection: NativeConnection): void;
  /** Around every callback to a handler: what it sends is flushed once the outermost one is left. */
  enter(): void;
  leave(): void;
  /** A socket has connected or was accepted, its TLS handshake included. */
  stands(socket: NativeSocket): void;
  /** A handler threw. */
  threw(error: unknown): void;
  /** The queued bytes of a connection have changed. Returns whether all connections together stay within the limit. */
  queuedChanged(differenceBytes: number): boolean;
  shortSend(): void;
  /** Calls back some time after our FIN, unless the returned function is called. */
  linger(callback: () => void): () => void;
  /** The connection is dead: asks for `deliverClosed`, later. */
  died(connection: NativeConnection): void;
}

/** {@link Connection} over a {@link NativeSocket}. */
export class NativeConnection implements Connection, NativeSocketHandler {
  handler: ConnectionHandler = NOBODY;
  readonly maxReserveBytes: number;
  /** Whether `flush` has been asked for. */
  isDirty = false;
  readonly #host: ConnectionHost;
  readonly #arena: Arena;
  #socket: NativeSocket | undefined = undefined;
  /** A connect that has no outcome yet. */
  #connecting: NativeConnecting | undefined = undefined;
  #cancelLinger: (() => void) | undefined = undefined;
  readonly #queue: SendQueue = new SendQueue();
  /** What this turn has committed: `#piece[#pieceStart, #pieceEnd)`. */
  #piece: Uint8Array;
  #pieceStart = 0;
  #pieceEnd = 0;
  #reservedAt = -1;
  #reservedEnd = -1;
  /** What `queuedBytes` was at most since the last `drained`. */
  #shownBytes = 0;
  /** What of `queuedBytes` the host has counted. */
  #countedBytes = 0;
  #isPaused = false;
  /** Nothing is received any more: closing or dead. */
  #isDeaf = false;
  #isDead = false;
  #isClosing = false;
  #endAsked = false;
  #finSent = false;
  #peerEnded = false;
  #error: RingwireError | undefined = undefined;

  constructor(host: ConnectionHost) {
    this.#host = host;
    this.#arena = host.arena;
    this.#piece = host.arena.bytes;
    this.maxReserveBytes = host.arena.maxBytes;
  }

  // ── Connection ───────────────────────────────────────────────────────────────────────────────

  get queuedBytes(): number {
    if (this.#isDead) return 0;
    const pendingBytes = this.#socket === undefined ? 0 : this.#socket.pendingBytes;
    return this.#pieceEnd - this.#pieceStart + this.#queue.bytes + pendingBytes;
  }

  get out(): Uint8Array {
    return this.#arena.bytes;
  }

  reserve(sizeBytes: number): number {
    const arena = this.#arena;
    if (!arena.fits(sizeBytes)) this.#makeRoom(sizeBytes);
    this.#reservedAt = arena.used;
    this.#reservedEnd = arena.used + sizeBytes;
    return arena.used;
  }

  commit(end: number): void {
    const start = this.#reservedAt;
    const arena = this.#arena;
    if (start !== arena.used || end < start || end > this.#reservedEnd) {
      throw new RangeError(`Cannot commit up to ${end}: no reservation reaches there`);
    }
    this.#reservedAt = -1;
    if (this.#isDead || this.#isClosing || this.#endAsked) return;
    arena.used = end;
    if (this.#pieceEnd === start && this.#piece === arena.bytes && this.#pieceStart !== start) {
      this.#pieceEnd = end;
    } else {
      if (this.#pieceStart !== this.#pieceEnd) this.#setPieceAside();
      this.#piece = arena.bytes;
      this.#pieceStart = start;
      this.#pieceEnd = end;
    }
    const queuedBytes = this.queuedBytes;
    if (queuedBytes > this.#shownBytes) this.#shownBytes = queuedBytes;
    this.#host.touch(this);
  }

  pause(): void {
    if (this.#isPaused || this.#isDeaf) return;
    this.#isPaused = true;
    this.#socket?.pause();
  }

  resume(): void {
    if (!this.#isPaused || this.#isDead) return;
    this.#isPaused = false;
    this.#socket?.resume();
  }

  end(): void {
    if (this.#isDead || this.#endAsked) return;
    this.#endAsked = true;
    this.#host.touch(this);
  }

  close(): void {
    if (this.#isDead || this.#isClosing) return;
    this.#isDeaf = true;
    this.#isClosing = true;
    if (this.#socket === undefined && this.queuedBytes === 0) {
      this.abort();
      return;
    }
    // What the peer still sends is read and dropped: closing on unread bytes would reset the connection, and the
    // peer would lose our last ones (RFC 1122 §4.2.2.13).
    this.resume();
    this.#host.touch(this);
  }

  abort(): void {
    this.#fail(undefined);
  }

  remoteAddress(): Address | undefined {
    return (this.#socket ?? this.#connecting)?.remoteAddress();
  }

  localAddress(): Address | undefined {
    return this.#socket?.localAddress();
  }

  tls(): TlsInfo | undefined {
    return this.#socket?.tls();
  }

  // ── for the transport ────────────────────────────────────────────────────────────────────────

  /** Takes the socket of an accepted connection. */
  attach(socket: NativeSocket): void {
    this.#socket = socket;
    this.#host.stands(socket);
  }

  /** Remembers a connect, which can be given up. */
  connecting(connecting: NativeConnecting): void {
    if (this.#isDead) connecting.giveUp();
    else if (this.#socket === undefined) this.#connecting = connecting;
  }

  /** Hands what was committed to the system, queues the rest, and takes the steps of closing that are due. */
  flush(): void {
    this.isDirty = false;
    if (this.#isDead) return;
    if (this.#pieceStart !== this.#pieceEnd) this.#writePiece();
    // Bytes that were committed while connecting.
    else if (this.#queue.bytes > 0) this.#pump();
    this.#progress();
  }

  /** Calls `drained` if `queuedBytes` is below what it has been. */
  settle(): void {
    const queuedBytes = this.queuedBytes;
    if (this.#isDead || queuedBytes >= this.#shownBytes) return;
    this.#shownBytes = queuedBytes;
    this.#call("drained");
  }

  /** Kills without a word from the socket. `deliverClosed` is asked for. */
  fail(error: RingwireError): void {
    this.#fail(error);
  }

  deliverClosed(): void {
    this.#host.enter();
    try {
      this.handler.closed(this.#error);
    } catch (error) {
      this.#host.threw(error);
    }
    this.#host.leave();
  }

  // ── NativeSocketHandler ──────────────────────────────────────────────────────────────────────

  opened(socket: NativeSocket): void {
    if (this.#isDead) {
      socket.abort();
      return;
    }
    this.#connecting = undefined;
    this.#socket = socket;
    this.#host.stands(socket);
    if (this.#isPaused) socket.pause();
    this.#host.touch(this);
    if (!this.#isClosing) this.#call("opened");
  }

  received(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isDeaf) return;
    const host = this.#host;
    const arena = this.#arena;
    const isTaken = arena.take(bytes, start, end);
    host.enter();
    try {
      if (isTaken) this.handler.received(arena.bytes, 0, end - start);
      else this.handler.received(bytes, start, end);
    } catch (error) {
      host.threw(error);
    }
    if (isTaken) arena.release();
    host.leave();
  }

  writable(): void {
    if (this.#isDead) return;
    this.#host.enter();
    this.#pump();
    this.#progress();
    this.settle();
    this.#host.leave();
  }

  ended(): void {
    if (this.#isDead || this.#peerEnded) return;
    this.#peerEnded = true;
    this.#host.touch(this);
    if (!this.#isDeaf) this.#call("ended");
  }

  closed(error: RingwireError | undefined): void {
    if (this.#isDead) return;
    // After our FIN in a close, the peer's way of going does not matter any more.
    this.#die(this.#isClosing && this.#finSent ? undefined : error);
  }

  // ── inside ───────────────────────────────────────────────────────────────────────────────────

  #call(callback: "opened" | "ended" | "drained"): void {
    this.#host.enter();
    try {
      this.handler[callback]();
    } catch (error) {
      this.#host.threw(error);
    }
    this.#host.leave();
  }

  #makeRoom(sizeBytes: number): void {
    if (!(sizeBytes <= this.maxReserveBytes)) {
      throw new RangeError(`Cannot reserve ${sizeBytes} bytes; maxReserveBytes is ${this.maxReserveBytes}`);
    }
    this.#host.makeRoom(sizeBytes);
  }

  /** Another connection has committed in between: makes the turn's earlier bytes go first. */
  #setPieceAside(): void {
    if (this.#pieceEnd - this.#pieceStart >= WRITE_ALONE_BYTES) this.#writePiece();
    else this.#queuePiece();
  }

  #queuePiece(): void {
    this.#queue.append(this.#piece, this.#pieceStart, this.#pieceEnd);
    this.#pieceStart = this.#pieceEnd;
  }

  #writePiece(): void {
    const socket = this.#socket;
    if (socket === undefined || this.#queue.bytes > 0) {
      this.#queuePiece();
    } else {
      const end = this.#pieceEnd;
      let start = this.#pieceStart;
      while (start < end) {
        const count = socket.write(this.#piece, start, end);
        if (count === 0) break;
        start += count;
      }
      // The socket may have died in `write`.
      if (this.#isDead) return;
      this.#pieceStart = start;
      if (start === end && socket.pendingBytes === 0 && this.#countedBytes === 0) return;
      if (start < end) {
        this.#host.shortSend();
        this.#queuePiece();
      }
    }
    this.#pump();
  }

  /** Hands the queue to the system, as much as it takes. */
  #pump(): void {
    const socket = this.#socket;
    const queue = this.#queue;
    while (socket !== undefined && queue.bytes > 0) {
      const count = socket.write(queue.front, queue.frontStart, queue.frontEnd);
      if (count === 0 || this.#isDead) break;
      queue.consume(count);
    }
    if (!this.#isDead) this.#count();
  }

  /** Tells the host what is queued, and aborts beyond the limits. */
  #count(): void {
    const queuedBytes = this.#queue.bytes + (this.#socket === undefined ? 0 : this.#socket.pendingBytes);
    const isWithin = this.#host.queuedChanged(queuedBytes - this.#countedBytes);
    this.#countedBytes = queuedBytes;
    if (queuedBytes > this.#host.maxQueuedBytes || (!isWithin && queuedBytes > 0)) {
      const which = isWithin ? "maxQueuedBytes" : "maxQueuedTotalBytes, over all connections";
      this.#fail(
        new RingwireError(
          "ERR_BACKPRESSURE",
          `Lost a connection: the peer does not read, and ${queuedBytes} bytes are queued (limit: ${which})`,
        ),
      );
    }
  }

  /** Takes the steps of closing that have become possible. */
  #progress(): void {
    const socket = this.#socket;
    if (this.#isDead || socket === undefined || this.queuedBytes > 0) return;
    if (!this.#endAsked && !this.#isClosing) return;
    if (this.#peerEnded) {
      this.#finSent = true;
      socket.close();
      return;
    }
    if (!this.#finSent) {
      this.#finSent = true;
      socket.end();
    }
    if (this.#isClosing && !this.#isDead && this.#cancelLinger === undefined) {
      this.#cancelLinger = this.#host.linger(() => {
        this.#socket?.close();
        this.#die(undefined);
      });
    }
  }

  #fail(error: RingwireError | undefined): void {
    if (this.#isDead) return;
    const socket = this.#socket;
    const connecting = this.#connecting;
    // Dead first: some runtimes call `closed` from inside `abort`.
    this.#die(error);
    socket?.abort();
    connecting?.giveUp();
  }

  #die(error: RingwireError | undefined): void {
    if (this.#isDead) return;
    this.#isDead = true;
    this.#isDeaf = true;
    this.#error = error;
    this.#socket = undefined;
    this.#connecting = undefined;
    this.#cancelLinger?.();
    this.#cancelLinger = undefined;
    this.#queue.clear();
    this.#pieceStart = this.#pieceEnd;
    this.#piece = this.#arena.bytes;
    this.#host.queuedChanged(-this.#countedBytes);
    this.#countedBytes = 0;
    this.#host.died(this);
  }
}
