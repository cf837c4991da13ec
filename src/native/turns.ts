/**
 * Turns of a native transport: when what was committed is handed to the system, and when deferred callbacks come. The runtime's event loop makes
 * them: each callback of a socket is one.
 */

import type { NativeSocket, Runtime } from "../runtime/runtime.ts";
import type { TransportLimits } from "../transport.ts";
import { Arena } from "./arena.ts";
import type { ConnectionHost, NativeConnection } from "./native_connection.ts";

/** Larger gains nothing: the system takes less than this at once. */
const MAX_ARENA_BYTES = 1 << 20;
/** How long after our FIN the peer may take to send its own before the socket is closed all the same. */
const LINGER_MS = 1_000;

/**
 * What the turns of one round send leaves together from so many on: a peer that is woken for one answer and sleeps again before the next
 * costs us more than the answer (echo of 512 B on Bun: 0.5 of Bun.serve so, 0.95 together).
 */
const TOGETHER_FROM_TURNS = 4;
/**
 * To wait for the end of a round costs a lonely connection half a microsecond, so after a try in vain so many turns send at once. A prime: tries
 * would always come at the end of rounds of eight, in which nobody else follows.
 */
const TURNS_BETWEEN_TRIES = 61;
/** More does not wait: it would leave the cache. */
const TOGETHER_BYTES = 131_072;
/** What was committed waits for the end of the round no longer than this and the handler that runs then: slow handlers would make the first answers late. */
const TOGETHER_MS = 1;

/** See the top of this file. */
export class Turns implements ConnectionHost {
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
  /** Turns of this round whose bytes wait for its end; 0: none do. */
  #waiting = 0;
  /** When the present gathering began: once `TOGETHER_MS` is over, what waits leaves and the next one begins. */
  #waitingSinceMs = 0;
  /** Turns until one waits for the end of its round. */
  #untilTry = TURNS_BETWEEN_TRIES;
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
    if (!connection.isDirty) {
      connection.isDirty = true;
      this.#dirty.push(connection);
    }
    // What is sent outside of a socket's callback waits for no round.
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
    if (this.#mayWait()) this.#endTurn();
    else this.#endSettled();
  }

  stands(socket: NativeSocket): void {
    const isResumed = socket.isResumed();
    if (isResumed === undefined) return;
    this.handshakes++;
    if (isResumed) this.resumptions++;
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

  /** Flushes, and from now on with each `touch`, which has no question to spare for the end of the process. */
  exit(): void {
    this.#flushDirty();
    this.touch = (connection): void => {
      this.#dirty.push(connection);
      this.#flushDirty();
    };
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
    this.#endSettled();
  }

  #askTask(): void {
    if (this.#taskQueued) return;
    this.#taskQueued = true;
    this.#runtime.defer(this.#onTask);
  }

  /** A round of the runtime's loop is over. */
  #task(): void {
    this.#taskQueued = false;
    if (this.#waiting > 0) this.#untilTry = this.#waiting < TOGETHER_FROM_TURNS ? TURNS_BETWEEN_TRIES : 1;
    this.#waiting = 0;
    this.enter();
    this.#endSettled();
  }

  /** Ends a turn whose bytes leave now. */
  #endSettled(): void {
    this.#settle();
    this.#endTurn();
  }

  #endTurn(): void {
    this.#depth = 0;
    this.count++;
    if (this.#spinMs > 0) this.#keepSpinning();
  }

  /** Whether what a turn has committed waits for the end of the round. */
  #mayWait(): boolean {
    if (this.#dirty.length === 0 || this.arena.used > TOGETHER_BYTES) return false;
    if (this.#waiting === 0) {
      this.#untilTry--;
      if (this.#untilTry > 0) return false;
      this.#askTask();
      this.#waitingSinceMs = this.#runtime.nowMs();
    } else {
      const nowMs = this.#runtime.nowMs();
      if (nowMs - this.#waitingSinceMs >= TOGETHER_MS) {
        // The next ones gather anew: one by one, the rest of a round of 500 would wake its peer as often.
        this.#waitingSinceMs = nowMs;
        return false;
      }
    }
    this.#waiting++;
    return true;
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
    if (this.#flushed.length > 0) this.#askTask();
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
