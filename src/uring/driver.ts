/**
 * When turns are taken. `auto` and `spin` live on the runtime's event loop: a burst of turns while there
 * is work, then sleep until the wake-up socket gets a byte. `manual` takes turns only when polled.
 */

import type { Runtime, WakeSocket } from "../runtime/runtime.ts";
import type { DriveOptions } from "../transport.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { EAGAIN, errnoName } from "./errno.ts";
import { Odds } from "./odds.ts";
import type { Ring } from "./ring.ts";

/** A burst ends after this many turns or this long, so that the program's timers and other I/O get their share. */
const BURST_TURNS = 32;
const BURST_MS = 1;
/**
 * Parking and waking cost about 6 µs. Where the next event tends to come sooner than LINGER_MS after the last
 * one (a ping-pong within one machine), `auto` waits for it awake: measured 6.8 instead of 12 µs round trip. It
 * keeps score (see Odds), so that a program whose events come later never pays for waiting.
 */
const LINGER_MS = 0.02;
/** `spin`: how long a burst goes on without an event before the runtime's loop has a look at its other I/O. */
const SLICE_MS = 0.1;
/** Bursts that may follow from microtasks alone before a task is waited for: microtasks starve everything else. */
const MICROTASK_BURSTS = 16;
/** Without parking, the ring is looked at this often. */
const IDLE_POLL_MS = 1;

/** How a ring is driven. */
export interface DriverOptions extends DriveOptions {
  /** How long the thread may wait in the kernel for this ring alone before it parks, microseconds. @default 0 */
  readonly waitUs?: number;
}

/** Drives one ring by a runtime's event loop. */
export class Driver {
  readonly #runtime: Runtime;
  readonly #ring: Ring;
  readonly #dispatcher: Dispatcher;
  readonly #broken: (error: unknown) => void;
  readonly #isManual: boolean;
  readonly #spinMs: number;
  readonly #waitUs: number;
  #wake: WakeSocket | undefined = undefined;
  /** Whether a parked ring will wake us. */
  #canPark = false;
  #noParkReason: string | undefined = undefined;
  #isAlive = false;
  #isClosed = false;
  #inBurst = false;
  #microtaskQueued = false;
  #taskQueued = false;
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;
  #microtaskBursts = 0;
  #lastEventMs = -Infinity;
  readonly #lingerOdds = new Odds();
  readonly #waitOdds = new Odds();
  /** Before it parks, the next deferred task waits in the kernel. */
  #wantsWait = false;
  readonly #onMicrotask = (): void => this.#microtask();
  readonly #onWake = (): void => this.#task(false);
  readonly #onTask = (): void => {
    this.#taskQueued = false;
    this.#task(true);
  };
  readonly #onTimer = (): void => {
    this.#timer = undefined;
    this.#task(false);
  };

  /** @param broken - A turn has failed: the ring is of no more use. */
  constructor(
    runtime: Runtime,
    ring: Ring,
    dispatcher: Dispatcher,
    options: DriverOptions,
    broken: (error: unknown) => void,
  ) {
    this.#runtime = runtime;
    this.#ring = ring;
    this.#dispatcher = dispatcher;
    this.#broken = broken;
    this.#isManual = options.drive === "manual";
    this.#spinMs = options.drive === "spin" ? options.spinUs / 1_000 : 0;
    this.#waitUs = options.waitUs ?? 0;
  }

  /** Why it cannot sleep, for people; undefined when it can. */
  get noParkReason(): string | undefined {
    return this.#noParkReason;
  }

  /**
   * Opens the wake-up socket.
   *
   * @param kernelParks - The kernel can wake a parked ring.
   */
  start(kernelParks: boolean): void {
    if (this.#isManual) return;
    if (!kernelParks) {
      this.#noParkReason = "this kernel does not wake a parked ring";
      return;
    }
    const mode = this.#runtime.wakeMode;
    try {
      const connected = (): void => {
        if (mode === "abstract") this.#acceptWake();
        else this.#canPark = true;
      };
      const source = this.#ring.openWake(mode);
      this.#wake = this.#runtime.openWake(source, connected, this.#onWake, (error) =>
        this.#wakeFailed(error),
      );
    } catch (error) {
      this.#wakeFailed(error);
    }
  }

  /** Whether the program has anything open here: then, and only then, this keeps the process running. */
  setAlive(isAlive: boolean): void {
    if (isAlive === this.#isAlive) return;
    this.#isAlive = isAlive;
    this.#wake?.setAlive(isAlive);
    if (!isAlive) this.#stopTimer();
  }

  /** There are commands, or events that nobody looked at: a turn has to come. */
  touch(): void {
    if (this.#microtaskQueued || this.#inBurst || this.#isManual) return;
    this.#microtaskQueued = true;
    queueMicrotask(this.#onMicrotask);
  }

  close(): void {
    this.#isClosed = true;
    this.#wake?.close();
    this.#wake = undefined;
    this.#stopTimer();
  }

  #microtask(): void {
    this.#microtaskQueued = false;
    if (this.#isClosed) return;
    if (!this.#taskQueued && this.#microtaskBursts++ < MICROTASK_BURSTS) {
      this.#burst(false);
      return;
    }
    // Send now; the task looks at what came.
    try {
      this.#dispatcher.flush();
      this.#queueTask();
    } catch (error) {
      this.#broken(error);
    }
  }

  /** @param isDeferred - The runtime's loop has come round since this was asked for. */
  #task(isDeferred: boolean): void {
    this.#microtaskBursts = 0;
    if (!this.#isClosed && !this.#inBurst) this.#burst(isDeferred);
  }

  #queueTask(): void {
    if (this.#taskQueued || this.#isClosed) return;
    this.#taskQueued = true;
    this.#runtime.defer(this.#onTask);
  }

  #burst(isDeferred: boolean): void {
    this.#inBurst = true;
    try {
      if (this.#takeTurns(isDeferred)) this.#queueTask();
      else if (!this.#canPark) this.#sleepWithoutParking();
    } catch (error) {
      this.#broken(error);
    }
    this.#inBurst = false;
  }

  /** Takes turns for a while. Returns whether more have to follow soon. */
  #takeTurns(isDeferred: boolean): boolean {
    const runtime = this.#runtime;
    const stayMs = this.#stayMs();
    // Before a wait, promises of handlers, timers and other I/O are to have had their chance.
    let mayWait = isDeferred;
    let startMs = runtime.nowMs();
    let nowMs = startMs;
    let isLingering = false;
    for (let turns = 0; turns < BURST_TURNS; ) {
      const stays = nowMs - this.#lastEventMs < stayMs;
      if (isLingering && !stays) {
        this.#lingerOdds.waited(false);
        isLingering = false;
      }
      let count = this.#dispatcher.takeTurn(this.#canPark && !stays && !this.#wantsWait, 0);
      if (this.#isClosed) return false;
      nowMs = runtime.nowMs();
      if (count === 0 && this.#ring.commandCount === 0) {
        if (stays) {
          if (nowMs - Math.max(startMs, this.#lastEventMs) >= SLICE_MS) return true;
          isLingering = true;
          continue;
        }
        if (!this.#wantsWait) return false;
        if (!mayWait) return true;
        count = this.#waitForSockets();
        if (this.#isClosed) return false;
        nowMs = startMs = runtime.nowMs();
        if (count === 0) continue;
      }
      turns++;
      if (count > 0) {
        this.#lastEventMs = nowMs;
        if (isLingering) this.#lingerOdds.waited(true);
        isLingering = false;
        mayWait = false;
        this.#wantsWait ||= this.#waitUs > 0 && this.#waitOdds.favourWaiting();
      }
      if (nowMs - startMs >= BURST_MS) return true;
    }
    return true;
  }

  /** A turn that waits in the kernel, for up to `waitUs`. Returns the number of its events. */
  #waitForSockets(): number {
    this.#wantsWait = false;
    const count = this.#dispatcher.takeTurn(false, this.#waitUs);
    this.#waitOdds.waited(count > 0);
    return count;
  }

  /** How long after an event this burst stays awake. */
  #stayMs(): number {
    if (this.#spinMs > 0) return this.#spinMs;
    return this.#lingerOdds.favourWaiting() ? LINGER_MS : 0;
  }

  #sleepWithoutParking(): void {
    if (!this.#isAlive || this.#isClosed) return;
    // The wake-up socket is about to be connected: that takes one or two rounds of the event loop.
    if (this.#noParkReason === undefined) this.#queueTask();
    else this.#timer ??= setTimeout(this.#onTimer, IDLE_POLL_MS);
  }

  #acceptWake(): void {
    if (this.#isClosed) return;
    const result = this.#ring.acceptWake();
    if (result >= 0) {
      this.#canPark = true;
      this.touch();
    } else if (result === -EAGAIN) this.#runtime.defer(() => this.#acceptWake());
    else this.#wakeFailed(errnoName(-result));
  }

  #wakeFailed(error: unknown): void {
    if (this.#isClosed) return;
    this.#canPark = false;
    this.#noParkReason = `the wake-up socket failed: ${error instanceof Error ? error.message : String(error)}`;
    this.#wake?.close();
    this.#wake = undefined;
    this.#queueTask();
  }

  #stopTimer(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
