/**
 * A connection that is two pieces of memory: what one side sends, the other receives when it is told to. For bench/codec.ts: sessions
 * as they are, without sockets. bench/rust/src/memory_stream.rs is the same for the peers.
 */

import type { Connection, ConnectionHandler } from "../src/transport.ts";

/** What one read brings at most. */
const READ_BYTES = 64 * 1024;

const NOBODY: ConnectionHandler = { opened() {}, received() {}, ended() {}, drained() {}, closed() {} };

/** One direction. */
export class MemoryPipe {
  readonly bytes: Uint8Array;
  sizeBytes = 0;

  constructor(capacityBytes: number) {
    this.bytes = new Uint8Array(capacityBytes);
  }
}

/** One side of a connection. */
export class MemoryConnection implements Connection {
  handler: ConnectionHandler = NOBODY;
  readonly queuedBytes: number = 0;
  readonly maxReserveBytes: number = 65_536;
  readonly out: Uint8Array;
  readonly #outgoing: MemoryPipe;
  readonly #incoming: MemoryPipe;
  readonly #read: Uint8Array = new Uint8Array(READ_BYTES);

  constructor(outgoing: MemoryPipe, incoming: MemoryPipe) {
    this.out = outgoing.bytes;
    this.#outgoing = outgoing;
    this.#incoming = incoming;
  }

  reserve(sizeBytes: number): number {
    const at = this.#outgoing.sizeBytes;
    if (at + sizeBytes > this.out.length) throw new RangeError("Cannot send more: the memory is full");
    return at;
  }

  commit(end: number): void {
    this.#outgoing.sizeBytes = end;
  }

  /** Hands over everything that the other side has sent, copied into one buffer portion by portion as a socket's would be. */
  receive(): void {
    const { bytes, sizeBytes } = this.#incoming;
    for (let at = 0; at < sizeBytes; at += READ_BYTES) {
      const portion = bytes.subarray(at, Math.min(at + READ_BYTES, sizeBytes));
      this.#read.set(portion);
      this.handler.received(this.#read, 0, portion.length);
    }
  }

  pause(): void {}
  resume(): void {}
  end(): void {}
  close(): void {}
  abort(): void {}

  remoteAddress(): undefined {
    return undefined;
  }

  localAddress(): undefined {
    return undefined;
  }

  tls(): undefined {
    return undefined;
  }
}
