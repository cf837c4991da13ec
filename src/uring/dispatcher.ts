/** Turns, and the walk over their events: from records in shared memory to handlers of connections. */

import type { RingwireError } from "../errors.ts";
import { NOBODY } from "../transport.ts";
import { handshakeError, socketError } from "./errno.ts";
import type { KernelClock } from "./kernel_clock.ts";
import * as layout from "./layout.ts";
import type { Ring } from "./ring.ts";
import { type ConnectionHost, UringConnection } from "./uring_connection.ts";
import type { UringListener } from "./uring_listener.ts";

/** The table of sockets by slot, and whoever is to hear of what happens to them. */
export class Dispatcher implements ConnectionHost {
  readonly #ring: Ring;
  readonly #clock: KernelClock;
  /** By slot. A slot is reused with another generation: the handle tells whose record it is. */
  readonly #connections: (UringConnection | undefined)[] = [];
  /**
   * The shim frees a slot when it writes CLOSED; a handler that connects before that record is walked may get
   * the slot. Whoever had it waits here for its last events, by handle.
   */
  readonly #displaced = new Map<number, UringConnection>();
  readonly #listeners = new Map<number, UringListener>();
  readonly #touched: () => void;
  readonly #aliveChanged: (isAlive: boolean) => void;
  #connectionCount = 0;
  /** The event record to handle next. */
  #next = 0;
  #isHandling = false;
  /** Connections that committed since the last turn, and those whose commits C has had. */
  #committed: UringConnection[] = [];
  #sent: UringConnection[] = [];

  /**
   * @param clock - For the stamps of a ring that has been asked for them.
   * @param touched - Commands were added outside of a walk.
   * @param aliveChanged - The first socket came or the last one went.
   */
  constructor(ring: Ring, clock: KernelClock, touched: () => void, aliveChanged: (isAlive: boolean) => void) {
    this.#ring = ring;
    this.#clock = clock;
    this.#touched = touched;
    this.#aliveChanged = aliveChanged;
  }

  /** Whether handlers are running now. */
  get isHandling(): boolean {
    return this.#isHandling;
  }

  get connectionCount(): number {
    return this.#connectionCount;
  }

  /**
   * One turn: hands over commands, takes events and handles them. When events of an earlier turn are still
   * unhandled, it handles those instead. Returns how many it handled.
   *
   * @param waitUs - As for `rw_turn`.
   */
  takeTurn(park: boolean, waitUs: number): number {
    if (this.#next === this.#ring.eventCount) {
      this.#turn(park ? layout.TURN_RECYCLE | layout.TURN_PARK : layout.TURN_RECYCLE, waitUs);
    }
    const count = this.#ring.eventCount - this.#next;
    if (count > 0 || this.#sent.length > 0) this.#handle();
    return count;
  }

  /** Hands over commands and keeps the events for the next turn. Calls no handler. */
  flush(): void {
    // While handlers run, the records and views of this walk have to stay.
    const isFree = !this.#isHandling && this.#next === this.#ring.eventCount;
    this.#turn(isFree ? layout.TURN_RECYCLE : 0, 0);
  }

  makeRoom(): void {
    this.flush();
    if (!this.#isHandling) this.#touched();
  }

  touch(): void {
    if (!this.#isHandling) this.#touched();
  }

  /** From now on each command leaves with the call that gives it. Replaces `touch`, which has no question to spare for the end of the process. */
  exit(): void {
    this.touch = (): void => this.flush();
  }

  committed(connection: UringConnection): void {
    this.#committed.push(connection);
  }

  addConnection(connection: UringConnection): void {
    const slot = connection.handle & layout.HANDLE_SLOT_MASK;
    const earlier = this.#connections[slot];
    if (earlier !== undefined) {
      this.#displaced.set(earlier.handle, earlier);
      earlier.losesSlot();
    }
    this.#connections[slot] = connection;
    this.#connectionCount++;
    this.#checkAlive(1);
  }

  addListener(listener: UringListener): void {
    this.#listeners.set(listener.handle, listener);
    this.#checkAlive(1);
  }

  removeListener(listener: UringListener): void {
    this.#listeners.delete(listener.handle);
    this.#checkAlive(0);
  }

  /** Retires everything after the ring was closed: every connection gets `closed(error)`. */
  close(error: RingwireError | undefined): void {
    const connections = [...this.#connections.splice(0), ...this.#displaced.values()];
    this.#displaced.clear();
    for (const listener of this.#listeners.values()) listener.handle = 0;
    this.#listeners.clear();
    this.#committed.length = 0;
    this.#sent.length = 0;
    this.#next = 0;
    this.#connectionCount = 0;
    for (const connection of connections) connection?.retire();
    for (const connection of connections) {
      if (connection !== undefined) protect(() => connection.handler.closed(error));
    }
    this.#aliveChanged(false);
  }

  #turn(flags: number, waitUs: number): void {
    if ((flags & layout.TURN_RECYCLE) !== 0) this.#next = 0;
    if (this.#committed.length > 0) {
      if (this.#sent.length === 0) {
        const empty = this.#sent;
        this.#sent = this.#committed;
        this.#committed = empty;
      } else {
        for (const connection of this.#committed) this.#sent.push(connection);
        this.#committed.length = 0;
      }
    }
    this.#ring.turn(flags, waitUs);
  }

  #handle(): void {
    this.#isHandling = true;
    // Outside of the loops, so that they run without entering a protected region per event.
    for (;;) {
      try {
        this.#walk();
        this.#settle();
        break;
      } catch (error) {
        reportLater(error);
      }
    }
    this.#isHandling = false;
  }

  #walk(): void {
    const ring = this.#ring;
    const events = ring.events;
    // A flush inside a handler appends events, closing the ring takes them away: look at the count each time.
    while (this.#next < ring.eventCount) {
      const at = this.#next++ * 4;
      const handle = events[at + 1];
      const a = events[at + 2];
      const connection = this.#find(handle);
      if (connection === undefined) {
        this.#listenerEvent(events[at], handle, a, events[at + 3]);
        continue;
      }
      switch (events[at]) {
        case layout.EVENT_RECEIVED:
          connection.handler.received(ring.bytes, a, a + events[at + 3]);
          break;
        case layout.EVENT_STAMP:
          connection.receivedNs = this.#clock.toLocalNs(a, events[at + 3]);
          break;
        case layout.EVENT_QUEUED:
          // Only a notice: the table of queued bytes has the number, which a flush may have changed since.
          connection.settle();
          break;
        case layout.EVENT_CONNECTED:
          connection.isOpen = true;
          connection.handler.opened();
          break;
        case layout.EVENT_ENDED:
          connection.handler.ended();
          break;
        case layout.EVENT_CLOSED:
          this.#closed(connection, a, events[at + 3]);
          break;
      }
    }
  }

  /** Tells those whose commits have left that they have. */
  #settle(): void {
    for (let connection = this.#sent.pop(); connection !== undefined; connection = this.#sent.pop()) {
      // What it committed in this very walk is settled after the next turn.
      if (connection.hasFresh) this.#committed.push(connection);
      else connection.isUnsettled = false;
      if (connection.handle !== 0) connection.settle();
    }
  }

  #closed(connection: UringConnection, errno: number, detail: number): void {
    const error = errno === 0 ? undefined : this.#failure(connection, errno, detail);
    const slot = connection.handle & layout.HANDLE_SLOT_MASK;
    if (this.#connections[slot] === connection) this.#connections[slot] = undefined;
    else this.#displaced.delete(connection.handle);
    connection.retire();
    this.#connectionCount--;
    this.#checkAlive(0);
    connection.handler.closed(error);
  }

  #failure(connection: UringConnection, errno: number, detail: number): RingwireError {
    const { action } = connection;
    return connection.isConnecting
      ? handshakeError(action, errno, detail)
      : socketError(action, errno, detail);
  }

  #listenerEvent(kind: number, handle: number, a: number, detail: number): void {
    if (kind === layout.EVENT_ACCEPTED) this.#accepted(handle, a);
    else if (kind === layout.EVENT_ACCEPT_FAILED) {
      this.#listeners.get(handle)?.handler.failed(handshakeError("Cannot accept a connection", a, detail));
    }
  }

  #accepted(handle: number, listenerHandle: number): void {
    const listener = this.#listeners.get(listenerHandle);
    const isUnix = listener?.address.family === "unix";
    const connection = new UringConnection(this.#ring, this, handle, NOBODY, isUnix, undefined);
    this.addConnection(connection);
    if (listener === undefined) {
      // The listener was closed in this very walk.
      connection.abort();
      return;
    }
    try {
      connection.handler = listener.handler.accepted(connection);
    } catch (error) {
      connection.abort();
      throw error;
    }
  }

  #find(handle: number): UringConnection | undefined {
    const connection = this.#connections[handle & layout.HANDLE_SLOT_MASK];
    if (connection !== undefined && connection.handle === handle) return connection;
    return this.#displaced.size === 0 ? undefined : this.#displaced.get(handle);
  }

  /** `added`: sockets that have just come. */
  #checkAlive(added: number): void {
    const count = this.#connectionCount + this.#listeners.size;
    if (count === added) this.#aliveChanged(count > 0);
  }
}

function protect(call: () => void): void {
  try {
    call();
  } catch (error) {
    reportLater(error);
  }
}

/** Lets an error of a handler reach the runtime's handling of uncaught errors, outside of our own calls. */
function reportLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
