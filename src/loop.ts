/**
 * The composition root: a loop is one transport, one wheel of deadlines and one clock, for one thread. The
 * only file above the seam that knows which transports and runtimes exist.
 */

import { Diagnostics } from "./diagnostics/diagnostics.ts";
import { kindOf, RingwireError } from "./errors.ts";
import { Counters, type Metrics } from "./metrics/counters.ts";
import { openNativeTransport } from "./native/native_transport.ts";
import { checkKnown, LOOP_NUMBERS, type LoopOptions, readChoice, readNumbers } from "./options.ts";
import { ProcessRef } from "./process_ref.ts";
import type { Codec } from "./protocol/codec.ts";
import { MaskKeys } from "./protocol/mask_keys.ts";
import type { MessageMemory } from "./protocol/message_buffer.ts";
import { openReplayTransport, Replay } from "./record/replay.ts";
import type { ReplayTransport } from "./record/replay_transport.ts";
import { runtime } from "./runtime/detect.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { SpareMemory } from "./spare_memory.ts";
import { TimerWheel } from "./timer_wheel.ts";
import type { DriveOptions, Transport, TransportLimits, TransportStats } from "./transport.ts";
import { chooseShim, openShim } from "./uring/shim.ts";
import { ShimCodec } from "./uring/shim_codec.ts";
import { openUringTransport } from "./uring/uring_transport.ts";

/** @internal What sessions use of a loop. */
export interface Engine {
  readonly runtime: Runtime;
  readonly transport: Transport;
  readonly wheel: TimerWheel;
  /** For who waits without a socket: deadlines alone do not keep the process alive. */
  readonly processRef: ProcessRef;
  readonly maskKeys: MaskKeys;
  /** Lends to messages that do not come in one read. */
  readonly messageMemory: MessageMemory;
  /** Where sockets count. A server's and a service's engine has a part of the loop's. */
  readonly metrics: Counters;
  readonly diagnostics: Diagnostics;
  /** Runs a function soon, outside of the call that asks: in a microtask, or in the next turn of a polled loop. */
  readonly soon: (callback: () => void) => void;
  /** Whether the loop was closed: then there are no turns, deadlines and connections any more. */
  readonly isClosed: () => boolean;
}

/** setTimeout's own limit on every runtime; deadlines may be later. */
const LONGEST_TIMER_MS = 2_147_483_647;
/** `run` looks at its deadlines at least this often. */
const LONGEST_WAIT_MS = 1_000;
/** What a loop may be told to use. */
const TRANSPORTS = ["auto", "uring", "native"] as const;
/** Options of a loop that are no numbers. */
const CHOICE_NAMES = ["drive", "transport", "library", "receiveTimestamps"];

/** @internal What a loop is made of. */
export let engineOf: (loop: Loop) => Engine;
let shared: Loop | undefined;

/**
 * Where connections live and what drives them. Without one, `connect` and `serve` share a default loop per thread. A loop
 * over io_uring holds kernel memory until it is closed; a process has room for 64 of them, further ones use native sockets.
 *
 * @example
 * ```ts
 * import { Loop, serve } from "ringwire";
 *
 * const loop = new Loop({ drive: "spin", spinUs: 50 });
 * console.log(loop.transport, loop.reason);
 * const server = await serve({ loop, port: 0, websocket: { message: (ws, data) => void ws.send(data) } });
 * await server.stop();
 * loop.close();
 * ```
 */
export class Loop {
  /** How this loop is driven. */
  readonly drive: "auto" | "spin" | "manual" | "run";
  readonly #engine: Engine;
  readonly #forgetExit: () => void;
  #cancelTimer: (() => void) | undefined = undefined;
  #timerDueMs = Infinity;
  /** What polled loops run in their next turn: their thread may never get to a microtask. */
  #soon: (() => void)[] = [];
  #running = false;
  #closed = false;

  static {
    engineOf = (loop: Loop): Engine => loop.#engine;
  }

  /**
   * Opens the transport.
   *
   * @param options - See {@linkcode LoopOptions}.
   * @throws RingwireError `ERR_TRANSPORT_UNAVAILABLE` when `transport: "uring"` cannot be had; the message says why.
   * @throws RingwireError `ERR_DRIVE_UNAVAILABLE` when `manual` or `run` is asked for without io_uring.
   * @throws RingwireError `ERR_UNSUPPORTED` when `receiveTimestamps: "kernel"` cannot be had.
   * @throws TypeError, RangeError for unknown options and values out of range.
   */
  constructor(options: LoopOptions = {}) {
    checkKnown("Loop", options, [...Object.keys(LOOP_NUMBERS), ...CHOICE_NAMES]);
    this.drive = readChoice("drive", options.drive, ["auto", "spin", "manual", "run"], "auto");
    const replay = options.transport instanceof Replay ? openReplay(options.transport, options) : undefined;
    const transport = replay ?? openTransport(options, this.drive);
    if (this.#isPolled && !transport.canPoll) {
      transport.close();
      throw new RingwireError(
        "ERR_DRIVE_UNAVAILABLE",
        `Cannot drive a loop by "${this.drive}" over native sockets, which only the runtime's event loop can drive (${transport.reason}); use "auto" or "spin"`,
      );
    }
    // A replay has a clock of its own, and advances the wheel itself.
    const own = replay?.runtime ?? runtime;
    const armed = (dueMs: number): void => (replay === undefined ? this.#arm(dueMs) : replay.armed(dueMs));
    const wheel = new TimerWheel(own.nowMs(), armed);
    replay?.start(wheel, this.#isPolled);
    this.#engine = {
      runtime: own,
      transport,
      wheel,
      processRef: new ProcessRef(() => runtime.stayAlive()),
      maskKeys: new MaskKeys((bytes) => runtime.randomFill(bytes)),
      messageMemory: new SpareMemory(wheel, () => own.nowMs()),
      metrics: new Counters(() => runtime.nowMs()),
      diagnostics: new Diagnostics(runtime),
      soon: this.#isPolled ? (callback): void => this.#runSoon(callback) : queueMicrotask,
      isClosed: () => this.#closed,
    };
    this.#forgetExit = runtime.onExit(Loop.#atExit(new WeakRef(this)));
    const { diagnostics } = this.#engine;
    if (!diagnostics.wants("loop:open")) return;
    diagnostics.publish("loop:open", {
      transport: transport.kind,
      drive: this.drive,
      reason: transport.reason,
    });
  }

  /** The transport in use. */
  get transport(): "uring" | "native" | "replay" {
    return this.#engine.transport.kind;
  }

  /** Why that transport: what the kernel gives, or why io_uring is not used. */
  get reason(): string {
    return this.#engine.transport.reason;
  }

  /** Counters of the transport since the loop was made. */
  get stats(): TransportStats {
    return this.#engine.transport.stats();
  }

  /** What its WebSockets have done: those of its servers and services, which have metrics of their own too, and all others. */
  get metrics(): Metrics {
    return this.#engine.metrics;
  }

  /**
   * One turn of a `manual` loop: sends, receives, calls handlers, expires deadlines. Returns how many
   * events were handled. Never call it from a handler.
   *
   * @param waitUs - Microseconds to wait in the kernel when there is nothing to do. @default 0
   * @throws RingwireError `ERR_DRIVE_UNAVAILABLE` unless the loop's drive is `manual`, or `run` and `run()` is over: to see
   *   through what is still under way, such as `server.stop()`.
   */
  poll(waitUs = 0): number {
    if (!this.#isPolled || this.#running) {
      throw new RingwireError(
        "ERR_DRIVE_UNAVAILABLE",
        this.#running
          ? "Cannot poll a loop from inside its run()"
          : `Cannot poll a loop whose drive is "${this.drive}"; make it with drive: "manual"`,
      );
    }
    return this.#turn(waitUs);
  }

  /**
   * Blocks the thread in the kernel and handles events until `stop()` is called from a handler. Promises and
   * the runtime's own timers of this thread do not advance meanwhile: meant for a Worker.
   *
   * @throws RingwireError `ERR_DRIVE_UNAVAILABLE` unless the loop's drive is `run`.
   */
  run(): void {
    if (this.drive !== "run") {
      throw new RingwireError(
        "ERR_DRIVE_UNAVAILABLE",
        `Cannot run a loop whose drive is "${this.drive}"; make it with drive: "run"`,
      );
    }
    this.#running = true;
    try {
      while (this.#running && !this.#closed) {
        const { wheel, runtime } = this.#engine;
        const waitMs = Math.min(wheel.nextDueMs() - runtime.nowMs(), LONGEST_WAIT_MS);
        this.#turn(Math.max(0, Math.ceil(waitMs * 1_000)));
      }
    } finally {
      this.#running = false;
    }
  }

  /** Makes `run()` return after the current turn. What is open stays open and waits for `poll()`, `run()` or `close()`. */
  stop(): void {
    this.#running = false;
  }

  /** Aborts every connection and listener of this loop and releases its memory. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#running = false;
    if (shared === this) shared = undefined;
    this.#forgetExit();
    this.#engine.transport.close();
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#engine.wheel.close();
    this.#engine.processRef.close();
    for (const callback of this.#soon.splice(0)) queueMicrotask(callback);
  }

  /** Same as {@linkcode Loop.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * Holds the loop weakly: one that is dropped without `close()` is not kept until the process ends; open connections keep theirs. Not made in the
   * constructor, whose functions share one scope, and hold `this` with it.
   */
  static #atExit(weak: WeakRef<Loop>): () => void {
    return () => {
      const loop = weak.deref();
      if (loop !== undefined) loop.#exiting();
    };
  }

  /** The turn that was to take along what has been sent never ends. The program's own listeners may still send after this one. */
  #exiting(): void {
    try {
      this.#engine.transport.exit();
    } catch {
      // A program that ends has no use for it, and must keep its exit code.
    }
  }

  get #isPolled(): boolean {
    return this.drive === "manual" || this.drive === "run";
  }

  #turn(waitUs: number): number {
    for (const callback of this.#soon.splice(0)) callback();
    const events = this.#engine.transport.poll(waitUs);
    return events + this.#engine.wheel.advance(this.#engine.runtime.nowMs());
  }

  /** In the next turn; of a closed loop there is none. */
  #runSoon(callback: () => void): void {
    if (this.#closed) queueMicrotask(callback);
    else this.#soon.push(callback);
  }

  /** Keeps one timer of the runtime set for the earliest deadline. Polled loops look at the wheel themselves. */
  #arm(dueMs: number): void {
    if (dueMs >= this.#timerDueMs || this.#isPolled) return;
    this.#cancelTimer?.();
    this.#timerDueMs = dueMs;
    const delayMs = Math.min(Math.max(0, dueMs - runtime.nowMs()), LONGEST_TIMER_MS);
    this.#cancelTimer = runtime.setTimer(() => this.#timerFired(), delayMs);
  }

  #timerFired(): void {
    this.#cancelTimer = undefined;
    this.#timerDueMs = Infinity;
    if (this.#closed) return;
    this.#engine.wheel.advance(runtime.nowMs());
    const dueMs = this.#engine.wheel.nextDueMs();
    if (dueMs !== Infinity) this.#arm(dueMs);
  }
}

/**
 * @internal The loop of an option, or the one that is used when none is given: `auto`, one per thread.
 *
 * @throws TypeError for what is no loop.
 */
export function loopOf(given: Loop | undefined): Loop {
  if (given === undefined) {
    shared ??= new Loop();
    return shared;
  }
  if (given instanceof Loop) return given;
  throw new TypeError(`Option "loop" must be a Loop, not ${kindOf(given)}`);
}

function openReplay(replay: Replay, options: LoopOptions): ReplayTransport {
  const { library } = options;
  if (readReceiveTimestamps(options) === "kernel") throw noStamps("a replay has its recording's");
  return openReplayTransport(replay, runtime, () => openCodec(chooseShim(runtime, library)));
}

function openTransport(options: LoopOptions, drive: Loop["drive"]): Transport {
  const numbers = readNumbers("Loop", options, LOOP_NUMBERS);
  const limits: TransportLimits = numbers;
  const { submissionEntries } = numbers;
  if (!Number.isInteger(Math.log2(submissionEntries))) {
    throw new RangeError(
      `Option "submissionEntries" of Loop must be a power of two, not ${submissionEntries}`,
    );
  }
  const wanted =
    options.transport === undefined
      ? environmentTransport()
      : readChoice("transport", options.transport, TRANSPORTS, "auto");
  const driven: DriveOptions = { drive: drive === "run" ? "manual" : drive, spinUs: numbers.spinUs };
  const library = chooseShim(runtime, options.library);
  const receiveStamps = readReceiveTimestamps(options) === "kernel";
  let reason = `native sockets of ${runtime.name} asked for`;
  if (wanted !== "native") {
    try {
      return openUringTransport({
        runtime,
        library,
        ...driven,
        waitUs: numbers.waitUs,
        limits,
        receiveStamps,
      });
    } catch (error) {
      if (wanted === "uring" || !(error instanceof RingwireError)) throw error;
      reason = error.message;
    }
  }
  if (receiveStamps) throw noStamps(reason);
  return openNativeTransport({ runtime, ...driven, limits, reason, openCodec: () => openCodec(library) });
}

/** zlib of the shim needs no io_uring: it serves native sockets too, and is loaded only when something is compressed. */
function openCodec(library: string | undefined): Codec {
  try {
    return new ShimCodec(openShim(runtime, library));
  } catch (error) {
    if (error instanceof RingwireError) return runtime.openCodec();
    throw error;
  }
}

function readReceiveTimestamps({ receiveTimestamps }: LoopOptions): "handled" | "kernel" {
  return readChoice("receiveTimestamps", receiveTimestamps, ["handled", "kernel"], "handled");
}

function noStamps(reason: string): RingwireError {
  return new RingwireError(
    "ERR_UNSUPPORTED",
    `Cannot have receive timestamps of the kernel, which only io_uring gives: ${reason}`,
  );
}

function environmentTransport(): (typeof TRANSPORTS)[number] {
  const name = "RINGWIRE_TRANSPORT";
  return readChoice(name, runtime.environment(name) || undefined, TRANSPORTS, "auto");
}
