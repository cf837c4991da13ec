/** Who waits for a connection of a pool: first come, first served, each with a deadline and perhaps a signal. */

import type { RingwireError } from "../errors.ts";
import type { Engine } from "../loop.ts";
import { CallbackTimer } from "../timer_wheel.ts";
import type { Lease } from "./lease.ts";

interface Waiter<Data> {
  readonly resolve: (lease: Lease<Data>) => void;
  readonly reject: (error: RingwireError) => void;
  readonly deadline: CallbackTimer;
  readonly signal: AbortSignal | undefined;
  readonly aborted: () => void;
}

/** Makes the error of who has waited in vain. */
export type MakeError = (
  code: "ERR_ACQUIRE_TIMEOUT" | "ERR_ABORTED" | "ERR_NOT_OPEN",
  cause?: unknown,
) => RingwireError;

/** See the top of this file. Keeps the process alive while somebody waits. */
export class AcquireQueue<Data> {
  readonly #engine: Engine;
  readonly #timeoutMs: number;
  readonly #makeError: MakeError;
  /** In the order in which they came. */
  readonly #waiters: Set<Waiter<Data>> = new Set();

  constructor(engine: Engine, timeoutMs: number, makeError: MakeError) {
    this.#engine = engine;
    this.#timeoutMs = timeoutMs;
    this.#makeError = makeError;
  }

  /** How many wait. */
  get size(): number {
    return this.#waiters.size;
  }

  /** Waits behind all others. */
  wait(signal: AbortSignal | undefined): Promise<Lease<Data>> {
    const { wheel, runtime, processRef } = this.#engine;
    return new Promise((resolve, reject) => {
      const giveUp = (...why: Parameters<MakeError>): void => {
        this.#leave(waiter);
        reject(this.#makeError(...why));
      };
      const waiter: Waiter<Data> = {
        resolve,
        reject,
        deadline: new CallbackTimer(
          () => giveUp("ERR_ACQUIRE_TIMEOUT"),
          () => giveUp("ERR_NOT_OPEN"),
        ),
        signal,
        aborted: () => giveUp("ERR_ABORTED", signal?.reason),
      };
      signal?.addEventListener("abort", waiter.aborted);
      wheel.schedule(waiter.deadline, runtime.nowMs(), this.#timeoutMs);
      this.#waiters.add(waiter);
      processRef.ref();
    });
  }

  /** Serves who has waited longest. Returns false when nobody waits. */
  serve(lend: () => Lease<Data>): boolean {
    const [first] = this.#waiters;
    if (first === undefined) return false;
    this.#leave(first);
    first.resolve(lend());
    return true;
  }

  /** Nobody need wait any more. */
  rejectAll(error: RingwireError): void {
    for (const waiter of [...this.#waiters]) {
      this.#leave(waiter);
      waiter.reject(error);
    }
  }

  #leave(waiter: Waiter<Data>): void {
    this.#waiters.delete(waiter);
    this.#engine.wheel.cancel(waiter.deadline);
    this.#engine.processRef.unref();
    waiter.signal?.removeEventListener("abort", waiter.aborted);
  }
}
