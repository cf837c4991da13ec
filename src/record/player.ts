/**
 * A transport that plays a recording: the clock stands at the record that is being played, deadlines of the loop
 * expire where they fall between two records, and connections meet the recorded ones.
 *
 * Records are played strictly in the order of the file. So where the program is not ready, everything waits for it: while a connection
 * is paused, and before a recorded connection that the program has not opened yet.
 */

import { ERROR_CODES, type ErrorCode, RingwireError } from "../errors.ts";
import type { Codec } from "../protocol/codec.ts";
import type { Kernels } from "../protocol/kernels.ts";
import { scalarKernels } from "../protocol/scalar_kernels.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { TimerWheel } from "../timer_wheel.ts";
import {
  type Address,
  type ConnectEndpoint,
  type Connection,
  type ConnectionHandler,
  type ListenEndpoint,
  type Listener,
  type ListenerHandler,
  NOBODY,
  type Transport,
  type TransportStats,
} from "../transport.ts";
import { addressOf, MeetingPoint, type UncheckedFacts } from "./meeting_point.ts";
import { Random } from "./random.ts";
import type { Recording, RecordingEntry } from "./recording.ts";
import type { ReplayStats } from "./replay.ts";
import { ReplayClock } from "./replay_clock.ts";
import { ReplayConnection, type ReplayHost, recordingError } from "./replay_connection.ts";

/** What {@link Player} takes. */
export interface PlayerOptions {
  readonly recording: Recording;
  /** 1: as it was; Infinity: at once. */
  readonly speed: number;
  readonly waitMs: number;
  readonly runtime: Runtime;
  readonly openCodec: () => Codec;
  readonly finished: (stats: ReplayStats) => void;
}

/** Records played before the program's promises and other events get their turn. */
const SLICE_RECORDS = 128;
const SCRATCH_BYTES = 256 << 10;
/** Turns of the event loop that the program gets to do what it did in the recording, before time goes on. */
const PATIENCE_TURNS = 8;
/** As much time may pass before a connection that does not come: more than the longest delay of a service that reconnects. */
const LONGEST_JUMP_MS = 60_000;
/** The same while others connect: less than the time that `connect` allows them by default. */
const CONNECTING_JUMP_MS = 4_000;
/** What a step answers beside a delay in milliseconds. */
const AGAIN = -1;

/** See the top of this file. */
export class Player implements Transport, ReplayHost {
  readonly kind = "replay" as const;
  readonly canPoll = true;
  readonly kernels: Kernels = scalarKernels;
  readonly scratch: Uint8Array = new Uint8Array(SCRATCH_BYTES);
  readonly sha1Base64: (text: string) => string;
  /** The runtime, with the recording's clock, and names that are not looked up. */
  readonly runtime: Runtime;
  readonly #recording: Recording;
  readonly #path: string;
  readonly #waitMs: number;
  readonly #real: Runtime;
  readonly #openCodec: () => Codec;
  readonly #finished: (stats: ReplayStats) => void;
  #codec: Codec | undefined = undefined;
  #wheel: TimerWheel | undefined = undefined;
  #isPolled = false;
  /** When the wheel has something due, on the replay's clock. */
  #dueMs = Infinity;
  readonly #clock: ReplayClock;
  readonly #meeting: MeetingPoint = new MeetingPoint();
  #entry: RecordingEntry | undefined = undefined;
  readonly #streams: Map<number, ReplayConnection> = new Map();
  #left: ReplayConnection[] = [];
  /** Turns given to the program before the current record, and since when it is waited for. */
  #turnsGiven = 0;
  #waitingSinceMs = -1;
  #damageCount = 0;
  #hasBegun = false;
  #isOver = false;
  #isClosed = false;
  #isScheduled = false;
  #cancelTimer: (() => void) | undefined = undefined;
  #letDie: (() => void) | undefined = undefined;
  #turns = 0;
  #records = 0;
  #inBytes = 0;
  #connections = 0;
  #missed = 0;
  #incomplete = 0;

  constructor(options: PlayerOptions) {
    const { recording, runtime } = options;
    this.#recording = recording;
    this.#path = recording.path;
    this.#clock = new ReplayClock(options.speed, () => runtime.nowMs());
    this.#waitMs = options.waitMs;
    this.#real = runtime;
    this.#openCodec = options.openCodec;
    this.#finished = options.finished;
    this.sha1Base64 = runtime.sha1Base64;
    this.#skipSessions();
    const random = new Random();
    this.runtime = {
      ...runtime,
      nowMs: () => this.#clock.nowMs,
      // Delays that chance decides on are the same each time. Nothing of it leaves this process.
      randomFill: (bytes) => random.fill(bytes),
      resolve: async (host) => [{ host, family: "ipv4" }],
    };
  }

  /** Joins the loop's deadlines, before anything is connected. */
  start(wheel: TimerWheel, isPolled: boolean): void {
    this.#wheel = wheel;
    this.#isPolled = isPolled;
  }

  /** The wheel wants to be advanced at `dueMs`. */
  armed(dueMs: number): void {
    if (dueMs >= this.#dueMs) return;
    this.#dueMs = dueMs;
    if (this.#hasBegun) this.wake();
  }

  get progress(): ReplayStats {
    return {
      records: this.#records,
      inBytes: this.#inBytes,
      connections: this.#connections,
      missed: this.#missed,
      incomplete: this.#incomplete,
      isOver: this.#isOver,
    };
  }

  // ── Transport ────────────────────────────────────────────────────────────────────────────────

  get reason(): string {
    return `replay of ${this.#path}`;
  }

  get codec(): Codec {
    this.#codec ??= this.#openCodec();
    return this.#codec;
  }

  async listen(endpoint: ListenEndpoint, handler: ListenerHandler): Promise<Listener> {
    this.#checkOpen("listen");
    const close = this.#meeting.listen(endpoint.address, handler);
    this.#begin();
    return {
      address: endpoint.address,
      close,
      updateTls(): void {
        throw new TypeError("Cannot update TLS: a replay has none");
      },
    };
  }

  connect(endpoint: ConnectEndpoint, handler: ConnectionHandler): Connection {
    this.#checkOpen("connect");
    const connection = new ReplayConnection(this, handler, endpoint.address, true);
    this.#meeting.wait(connection);
    this.#begin();
    return connection;
  }

  flush(): void {
    // Nothing of what is sent goes anywhere.
  }

  poll(waitUs: number): number {
    const before = this.#turns;
    const delayMs = this.#slice();
    const restMs = Math.min(delayMs, waitUs / 1_000);
    if (this.#turns === before && restMs > 0) sleep(restMs);
    return this.#turns - before;
  }

  stats(): TransportStats {
    return {
      connections: this.#streams.size + this.#meeting.waitingCount,
      turns: this.#turns,
      enters: 0,
      shortSends: 0,
      noBuffers: 0,
      parks: 0,
      handshakes: 0,
      resumptions: 0,
    };
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelTimer?.();
    this.#letDie?.();
    this.#closeAll(undefined);
    this.#tellLeft();
    this.#recording.close();
    this.#codec?.close();
    this.#finished(this.progress);
  }

  // ── from the connections ─────────────────────────────────────────────────────────────────────

  wake(): void {
    if (this.#isPolled || this.#isScheduled || this.#isClosed) return;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#isScheduled = true;
    this.#real.defer(() => {
      this.#isScheduled = false;
      this.#turn();
    });
  }

  left(connection: ReplayConnection): void {
    if (this.#left.includes(connection)) return;
    this.#left.push(connection);
    this.wake();
  }

  // ── turns ────────────────────────────────────────────────────────────────────────────────────

  #begin(): void {
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      this.#letDie = this.#real.stayAlive();
      this.#clock.keepPace();
    }
    this.wake();
  }

  /** One slice, and the next one arranged. */
  #turn(): void {
    if (this.#isClosed) return;
    const delayMs = this.#slice();
    if (this.#isScheduled || this.#isClosed || delayMs === Infinity) return;
    if (delayMs <= 0) this.wake();
    else this.#cancelTimer = this.#real.setTimer(() => this.wake(), delayMs);
  }

  /** Plays until something has to be waited for. Returns for how long, milliseconds; Infinity: for the program. */
  #slice(): number {
    if (!this.#hasBegun || this.#isClosed) return Infinity;
    for (let count = 0; count < SLICE_RECORDS; count++) {
      const delayMs = this.#step();
      if (delayMs !== AGAIN) return delayMs;
      this.#turns++;
      if (this.#isClosed) return Infinity;
    }
    return 0;
  }

  #step(): number {
    if (this.#left.length > 0) {
      this.#tellLeft();
      return AGAIN;
    }
    if (this.#isOver) return this.#afterEnd();
    this.#entry ??= this.#recording.next();
    if (this.#recording.problems.length > this.#damageCount) return this.#damaged();
    if (this.#entry === undefined) return this.#end();
    const recordMs = this.#clock.timeOf(this.#entry);
    const awayMs = this.#clock.delayUntil(Math.min(recordMs, this.#dueMs));
    if (awayMs > 0) return awayMs;
    if (this.#dueMs <= recordMs) return this.#expire();
    this.#clock.advanceTo(recordMs);
    const delayMs = this.#play(this.#entry);
    if (delayMs !== AGAIN) return delayMs;
    this.#entry = undefined;
    this.#records++;
    if (this.#waitingSinceMs >= 0) this.#clock.keepPace();
    this.#turnsGiven = 0;
    this.#waitingSinceMs = -1;
    return AGAIN;
  }

  #afterEnd(): number {
    const { nowMs } = this.#clock;
    if (this.#dueMs > nowMs) return this.#dueMs - nowMs;
    return this.#expire();
  }

  /** Lets the deadlines expire that are due next. */
  #expire(): number {
    if (!this.#isOver) this.#clock.advanceTo(this.#dueMs);
    const wheel = this.#wheel as TimerWheel;
    this.#dueMs = Infinity;
    wheel.advance(this.#clock.nowMs);
    this.#dueMs = wheel.nextDueMs();
    return AGAIN;
  }

  // ── records ──────────────────────────────────────────────────────────────────────────────────

  /** Returns `AGAIN` when the record is done with, else how long to wait before it is tried again. */
  #play(entry: RecordingEntry): number {
    if (entry.kind === "open") return this.#open(entry);
    if (entry.kind === "session") return this.#nextSession(entry);
    const stream = this.#streams.get(entry.connection);
    if (stream === undefined) return AGAIN;
    switch (entry.kind) {
      case "in":
        if (stream.isPaused) return Infinity;
        this.#inBytes += entry.payload.length;
        protect(() => stream.recordedIn(entry.payload));
        break;
      case "out":
        // A program that answers in a promise gets the chance to, before the recorded peer goes on.
        if (stream.sentBytes < stream.recordedBytes + entry.payload.length && this.#turnsGiven++ < 1)
          return 0;
        stream.recordedOut(entry.payload);
        break;
      case "end":
        if (stream.isPaused) return Infinity;
        protect(() => stream.recordedEnd());
        break;
      case "closed":
        this.#finishStream(entry.connection, stream, errorOf(entry.facts()));
        break;
      case "loss":
        this.#break(entry.connection, stream, `${Number(entry.facts().records)} records are missing here`);
        break;
    }
    return AGAIN;
  }

  #open(entry: RecordingEntry): number {
    const facts = entry.facts();
    if (facts.role === "server") {
      const listener = this.#meeting.findListener(facts);
      if (listener === undefined) return this.#waitForProgram(entry);
      const connection = new ReplayConnection(this, NOBODY, addressOf(facts.remote) ?? UNKNOWN, false);
      this.#began(entry, connection, facts);
      protect(() => {
        connection.handler = listener.accepted(connection);
      });
      return AGAIN;
    }
    const connection = this.#meeting.takeClient(facts);
    if (connection === undefined) return this.#waitForProgram(entry);
    this.#began(entry, connection, facts);
    protect(() => connection.handler.opened());
    return AGAIN;
  }

  #began({ connection: id }: RecordingEntry, connection: ReplayConnection, facts: UncheckedFacts): void {
    connection.isOpen = true;
    connection.local = addressOf(facts.local);
    this.#streams.set(id, connection);
    this.#connections++;
  }

  /** The program has not opened what comes next: it gets turns, then the time until its next deadline, then real time. */
  #waitForProgram(entry: RecordingEntry): number {
    if (this.#turnsGiven++ < PATIENCE_TURNS) return 0;
    const jumpMs = this.#meeting.waitingCount > 0 ? CONNECTING_JUMP_MS : LONGEST_JUMP_MS;
    if (this.#dueMs <= this.#clock.timeOf(entry) + jumpMs) {
      // Such as the delay before a service connects again, which chance has made longer than it was.
      this.#turnsGiven = 0;
      this.#expire();
      return 0;
    }
    const nowMs = this.#real.nowMs();
    if (this.#waitingSinceMs < 0) this.#waitingSinceMs = nowMs;
    const restMs = this.#waitMs - (nowMs - this.#waitingSinceMs);
    if (restMs > 0) return restMs;
    this.#missed++;
    return AGAIN;
  }

  /** A recorder went on with the file, in another process or later: its clock is another. */
  #nextSession(entry: RecordingEntry): number {
    for (const [id, stream] of this.#streams) this.#break(id, stream, "its recording ends here");
    this.#clock.beginSession(entry);
    return AGAIN;
  }

  /** The clock begins at the first record that is about a connection. */
  #skipSessions(): void {
    for (;;) {
      this.#entry = this.#recording.next();
      if (this.#entry?.kind !== "session") break;
      this.#clock.beginSession(this.#entry);
    }
    if (this.#entry !== undefined) this.#clock.advanceTo(this.#clock.timeOf(this.#entry));
  }

  /** What is missing may have been of any connection. */
  #damaged(): number {
    const problems = this.#recording.problems.slice(this.#damageCount);
    this.#damageCount += problems.length;
    for (const { kind, offset, sizeBytes } of problems) {
      const where = `${sizeBytes} bytes from ${offset} on`;
      const why = kind === "torn" ? `the file ends torn (${where})` : `the file is damaged (${where})`;
      for (const [id, stream] of this.#streams) this.#break(id, stream, why);
    }
    return AGAIN;
  }

  #end(): number {
    this.#isOver = true;
    this.#clock.end();
    for (const [id, stream] of this.#streams) this.#break(id, stream, "the recording ends here");
    this.#closeAll(recordingError(this.#path, "the recording has no such connection any more"));
    this.#letDie?.();
    this.#letDie = undefined;
    this.#finished(this.progress);
    return AGAIN;
  }

  // ── endings ──────────────────────────────────────────────────────────────────────────────────

  #break(id: number, stream: ReplayConnection, why: string): void {
    this.#incomplete++;
    this.#finishStream(id, stream, recordingError(this.#path, why));
  }

  #finishStream(id: number, stream: ReplayConnection, error: RingwireError | undefined): void {
    this.#streams.delete(id);
    protect(() => stream.finish(error));
  }

  #closeAll(error: RingwireError | undefined): void {
    const open = [...this.#streams.values(), ...this.#meeting.takeAll()];
    this.#streams.clear();
    for (const connection of open) protect(() => connection.finish(error));
  }

  /** Those that the program has closed. */
  #tellLeft(): void {
    const left = this.#left;
    this.#left = [];
    for (const connection of left) {
      this.#meeting.leave(connection);
      for (const [id, stream] of this.#streams) if (stream === connection) this.#streams.delete(id);
      protect(() => connection.finish(undefined));
    }
  }

  #checkOpen(action: string): void {
    if (this.#isClosed) throw new RingwireError("ERR_NOT_OPEN", `Cannot ${action}: the loop is closed`);
    if (this.#isOver) throw recordingError(this.#path, `cannot ${action}, the recording is over`);
  }
}

const UNKNOWN: Address = { host: "0.0.0.0", port: 0, family: "ipv4" };

/** A handler that throws must not end the replay. */
function protect(call: () => void): void {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

function sleep(delayMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, delayMs);
}

function errorOf(facts: Readonly<Record<string, unknown>>): RingwireError | undefined {
  if (typeof facts.code !== "string") return undefined;
  const code = ERROR_CODES.find((known): known is ErrorCode => known === facts.code) ?? "ERR_SYSTEM";
  return new RingwireError(code, String(facts.message));
}
