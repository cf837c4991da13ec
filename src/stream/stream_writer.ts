/** The sending side of a stream: what a program writes against what the peer takes. */

import { RingwireError } from "../errors.ts";
import { copyBytes } from "../protocol/copy_bytes.ts";
import type { Connection, Transport } from "../transport.ts";
import type { SendStatus } from "./send_status.ts";
import type { StreamSettings } from "./stream_options.ts";

interface DrainWaiter {
  readonly resolve: () => void;
  readonly reject: (error: RingwireError) => void;
}

/** Writes to one connection under the limits of its settings. */
export class StreamWriter {
  readonly #transport: Transport;
  readonly #connection: Connection;
  readonly #settings: StreamSettings<never>;
  readonly #overflowed: () => void;
  #wantsDrain = false;
  #isClosed = false;
  #waiters: DrainWaiter[] = [];

  /** @param overflowed - Breaks the connection, for `whenFull: "close"`. */
  constructor(
    transport: Transport,
    connection: Connection,
    settings: StreamSettings<never>,
    overflowed: () => void,
  ) {
    this.#transport = transport;
    this.#connection = connection;
    this.#settings = settings;
    this.#overflowed = overflowed;
  }

  /** @throws RingwireError as documented at `Stream.write`. */
  write(bytes: Uint8Array): SendStatus {
    const { length } = bytes;
    if (length === 0) return "sent";
    if (!this.#fits(this.#settings.maxBufferedBytes - length)) return this.#refuse(length);
    const connection = this.#connection;
    for (let start = 0; start < length; ) {
      const size = Math.min(length - start, connection.maxReserveBytes);
      const at = connection.reserve(size);
      copyBytes(bytes, start, start + size, connection.out, at);
      connection.commit(at + size);
      start += size;
    }
    if (this.#fits(this.#settings.highWaterBytes)) return "sent";
    this.#wantsDrain = true;
    return "queued";
  }

  /** Resolves once at or below the low mark. */
  drained(): Promise<void> {
    if (this.#isClosed) return Promise.reject(closedError());
    if (this.#connection.queuedBytes <= this.#settings.lowWaterBytes) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  /** The queue became shorter. Returns whether the `drain` handler is due. */
  shrank(): boolean {
    const isAwaited = this.#wantsDrain || this.#waiters.length > 0;
    if (!isAwaited || this.#connection.queuedBytes > this.#settings.lowWaterBytes) return false;
    for (const waiter of this.#waiters.splice(0)) waiter.resolve();
    const isDue = this.#wantsDrain;
    this.#wantsDrain = false;
    return isDue;
  }

  /** Nobody will be drained any more. */
  close(): void {
    this.#isClosed = true;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(closedError());
  }

  /** Whether the queue is no longer than that. What this turn has gathered is handed to the kernel first: it may take all of it. */
  #fits(bytes: number): boolean {
    if (this.#connection.queuedBytes <= bytes) return true;
    this.#transport.flush();
    return this.#connection.queuedBytes <= bytes;
  }

  #refuse(sizeBytes: number): SendStatus {
    const { maxBufferedBytes, whenFull } = this.#settings;
    if (sizeBytes > maxBufferedBytes) {
      throw new RingwireError(
        "ERR_MESSAGE_TOO_LARGE",
        `Cannot write ${sizeBytes} bytes at once: more than maxBufferedBytes (${maxBufferedBytes}); raise the option or write less`,
      );
    }
    this.#wantsDrain = true;
    if (whenFull === "wait") {
      throw new RingwireError(
        "ERR_BACKPRESSURE",
        "Cannot write: the queue is full; await drained() and write again",
      );
    }
    if (whenFull === "close") this.#overflowed();
    return "dropped";
  }
}

function closedError(): RingwireError {
  return new RingwireError("ERR_NOT_OPEN", "Cannot wait for drain: the stream has closed");
}
