/** The connections of a pool to one URL: idle ones and those on loan. Those that die are replaced. */

import { RingwireError } from "../errors.ts";
import type { Engine } from "../loop.ts";
import { withoutUser } from "../protocol/url.ts";
import { Backoff, randomShare } from "../stream/backoff.ts";
import { CallbackTimer } from "../timer_wheel.ts";
import type { Connector } from "../websocket/connector.ts";
import type { Socket } from "../websocket/socket.ts";
import { AcquireQueue } from "./acquire_queue.ts";
import { Lease } from "./lease.ts";

/** How large it is and how long things may take. */
export interface PoolLimits {
  readonly min: number;
  readonly max: number;
  readonly idleTimeoutMs: number;
  readonly acquireTimeoutMs: number;
  readonly maxWaiting: number;
}

/** What has happened and is the case, of one URL or of all together. */
export interface PoolStats {
  /** Connections on loan. */
  readonly busy: number;
  /** Open connections that nobody has. */
  readonly idle: number;
  /** Connections being opened. */
  readonly connecting: number;
  /** Calls of `acquire` that wait. */
  readonly waiting: number;
  /** Leases given so far. */
  readonly acquired: number;
  /** Calls of `acquire` that waited in vain for `acquireTimeoutMs`. */
  readonly timedOut: number;
  /** Connections opened so far. */
  readonly opened: number;
  /** Attempts to open one that failed. */
  readonly failed: number;
  /** Connections closed because nobody wanted them for `idleTimeoutMs`. */
  readonly evicted: number;
}

/** The delay before connecting again after a failure. */
const RETRY = { initialMs: 50, factor: 2, maxMs: 5_000 };

/** See the top of this file. */
export class UrlPool<Data> {
  readonly #url: string;
  readonly #connector: Connector<Data>;
  readonly #engine: Engine;
  readonly #limits: PoolLimits;
  readonly #waiting: AcquireQueue<Data>;
  /** With the timer that evicts it; the last one was used last and is used next. */
  readonly #idle: Map<Socket<Data>, CallbackTimer> = new Map();
  readonly #busy: Set<Socket<Data>> = new Set();
  /** Of no use any more, but not gone yet: they count for `max`. */
  readonly #closing: Set<Socket<Data>> = new Set();
  readonly #retry: CallbackTimer;
  readonly #backoff: Backoff;
  /** Attempts to connect that have no outcome yet. */
  readonly #connecting: Set<{ giveUp(): void }> = new Set();
  #lastFailure: RingwireError | undefined = undefined;
  #acquired = 0;
  #timedOut = 0;
  #opened = 0;
  #failed = 0;
  #evicted = 0;
  #isClosed = false;
  #gone: (() => void) | undefined = undefined;

  constructor(url: string, connector: Connector<Data>, limits: PoolLimits) {
    this.#url = url;
    this.#connector = connector;
    this.#engine = connector.engine;
    this.#limits = limits;
    this.#waiting = new AcquireQueue(this.#engine, limits.acquireTimeoutMs, (code, cause) =>
      this.#waitedInVain(code, cause),
    );
    this.#retry = new CallbackTimer(() => this.#fill());
    this.#backoff = new Backoff(RETRY, () => randomShare(this.#engine.runtime));
  }

  get stats(): PoolStats {
    return {
      busy: this.#busy.size,
      idle: this.#idle.size,
      connecting: this.#connecting.size,
      waiting: this.#waiting.size,
      acquired: this.#acquired,
      timedOut: this.#timedOut,
      opened: this.#opened,
      failed: this.#failed,
      evicted: this.#evicted,
    };
  }

  /** @throws RingwireError as documented at `Pool.acquire`. */
  async acquire(signal: AbortSignal | undefined): Promise<Lease<Data>> {
    if (signal?.aborted === true) throw this.#waitedInVain("ERR_ABORTED", signal.reason);
    if (this.#engine.isClosed()) throw this.#waitedInVain("ERR_NOT_OPEN");
    const socket = this.#waiting.size === 0 ? this.#takeIdle() : undefined;
    if (socket !== undefined) return this.#lend(socket);
    const { maxWaiting } = this.#limits;
    if (this.#waiting.size >= maxWaiting) {
      throw new RingwireError("ERR_BACKPRESSURE", `${this.#action}: ${maxWaiting} wait already (maxWaiting)`);
    }
    const lease = this.#waiting.wait(signal);
    this.#fill();
    return lease;
  }

  /** Closes what is idle now and what is on loan when it comes back, at the latest after `graceMs`. */
  close(graceMs: number): Promise<void> {
    this.#isClosed = true;
    this.#engine.wheel.cancel(this.#retry);
    this.#waiting.rejectAll(new RingwireError("ERR_NOT_OPEN", `${this.#action}: the pool is closed`));
    for (const attempt of this.#connecting) attempt.giveUp();
    this.#connecting.clear();
    for (const socket of [...this.#idle.keys()]) this.#retire(socket);
    const deadline = new CallbackTimer(() => {
      for (const socket of [...this.#busy, ...this.#closing]) socket.terminate();
    });
    this.#schedule(deadline, graceMs);
    return new Promise((resolve) => {
      this.#gone = (): void => {
        if (this.#size + this.#closing.size > 0) return;
        this.#engine.wheel.cancel(deadline);
        resolve();
      };
      this.#gone();
    });
  }

  get #action(): string {
    return `Cannot acquire a connection to ${withoutUser(this.#url)}`;
  }

  /** Connections that are of use, or will be. */
  get #size(): number {
    return this.#idle.size + this.#busy.size + this.#connecting.size;
  }

  get #isRetrying(): boolean {
    return this.#retry.dueTick >= 0;
  }

  // ── connections ──────────────────────────────────────────────────────────────────────────────

  /** Opens as many as are wanted and allowed. */
  #fill(): void {
    const { min, max } = this.#limits;
    while (
      !this.#isClosed &&
      !this.#isRetrying &&
      this.#size + this.#closing.size < max &&
      (this.#connecting.size < this.#waiting.size || this.#size < min)
    ) {
      const attempt = this.#connector.open(this.#url, {
        opened: ({ socket }) => {
          this.#connecting.delete(attempt);
          this.#joined(socket);
        },
        failed: (error) => {
          this.#connecting.delete(attempt);
          this.#connectFailed(error as RingwireError);
        },
      });
      this.#connecting.add(attempt);
    }
  }

  #joined(socket: Socket<Data>): void {
    this.#opened++;
    this.#backoff.reset();
    this.#lastFailure = undefined;
    socket.closed.then(() => this.#left(socket));
    this.#offer(socket);
  }

  #connectFailed(error: RingwireError): void {
    this.#failed++;
    this.#lastFailure = error;
    // Wrong certificates do not become right ones: nobody need wait for that, and who asks again tries again. All else may pass.
    if (!(error instanceof RingwireError && error.shouldReconnect)) {
      this.#waiting.rejectAll(error);
      return;
    }
    if (this.#isRetrying) return;
    this.#schedule(this.#retry, Math.max(this.#backoff.next(), error.retryAfterMs ?? 0));
  }

  /** To who has waited longest; to rest when nobody waits. */
  #offer(socket: Socket<Data>): void {
    if (this.#waiting.serve(() => this.#lend(socket))) return;
    const timer = new CallbackTimer(() => this.#evict(socket));
    this.#idle.set(socket, timer);
    this.#schedule(timer, this.#limits.idleTimeoutMs);
  }

  #takeIdle(): Socket<Data> | undefined {
    let found: Socket<Data> | undefined;
    // One that closes is counted until it is gone.
    for (const socket of this.#idle.keys()) if (socket.state === "open") found = socket;
    if (found !== undefined) this.#wakeUp(found);
    return found;
  }

  #wakeUp(socket: Socket<Data>): void {
    const timer = this.#idle.get(socket);
    if (timer !== undefined) this.#engine.wheel.cancel(timer);
    this.#idle.delete(socket);
  }

  #evict(socket: Socket<Data>): void {
    if (this.#size > this.#limits.min) {
      this.#evicted++;
      this.#retire(socket);
    } else this.#schedule(this.#idle.get(socket) as CallbackTimer, this.#limits.idleTimeoutMs);
  }

  #lend(socket: Socket<Data>): Lease<Data> {
    this.#acquired++;
    this.#busy.add(socket);
    return new Lease(socket, (isUsable) => this.#returned(socket, isUsable));
  }

  #returned(socket: Socket<Data>, isUsable: boolean): void {
    // It is gone already.
    if (!this.#busy.delete(socket)) return;
    if (socket.state === "open" && isUsable && !this.#isClosed) this.#offer(socket);
    else this.#retire(socket);
  }

  #retire(socket: Socket<Data>): void {
    this.#wakeUp(socket);
    this.#closing.add(socket);
    socket.close();
  }

  /** A connection is gone: who waits gets another. */
  #left(socket: Socket<Data>): void {
    this.#wakeUp(socket);
    this.#busy.delete(socket);
    this.#closing.delete(socket);
    this.#gone?.();
    this.#fill();
  }

  #waitedInVain(code: RingwireError["code"], cause?: unknown): RingwireError {
    const { acquireTimeoutMs, max } = this.#limits;
    if (code === "ERR_ABORTED") return new RingwireError(code, `${this.#action}: it was aborted`, { cause });
    if (code === "ERR_NOT_OPEN") return new RingwireError(code, `${this.#action}: its loop is closed`);
    this.#timedOut++;
    const failure = this.#lastFailure;
    const why = failure === undefined ? `all ${max} are in use` : failure.message;
    return new RingwireError(code, `${this.#action} within ${acquireTimeoutMs} ms: ${why}`, {
      cause: failure,
    });
  }

  #schedule(timer: CallbackTimer, delayMs: number): void {
    this.#engine.wheel.schedule(timer, this.#engine.runtime.nowMs(), delayMs);
  }
}
