/**
 * Plays the records of a recording, strictly in the order of the file: the clock stands at the record that is being played, deadlines of the
 * loop expire where they fall between two records, and connections meet the recorded ones.
 *
 * Where the program is not ready, everything waits for it: while a connection is paused, and before a recorded connection that the
 * program has not opened yet.
 */

import { ERROR_CODES, type ErrorCode, RingwireError } from "../errors.ts";
import type { TimerWheel } from "../timer_wheel.ts";
import { type Address, type ConnectionHandler, type ListenerHandler, NOBODY } from "../transport.ts";
import { addressOf, MeetingPoint, type UncheckedFacts } from "./meeting_point.ts";
import type { Recording, RecordingEntry } from "./recording.ts";
import type { ReplayStats } from "./replay.ts";
import { ReplayClock } from "./replay_clock.ts";
import { ReplayConnection, type ReplayHost, recordingError } from "./replay_connection.ts";

/** Turns of the event loop that the program gets to do what it did in the recording, before time goes on. */
const PATIENCE_TURNS = 8;
/** As much time may pass before a connection that does not come: more than the longest delay of a service that reconnects. */
const LONGEST_JUMP_MS = 60_000;
/** The same while others connect: less than the time that `connect` allows them by default. */
const CONNECTING_JUMP_MS = 4_000;
/** What a step answers beside a delay in milliseconds: there is more to do at once. */
export const AGAIN = -1;

/** What {@link Player} takes. */
export interface PlayerOptions {
  readonly recording: Recording;
  /** 1: as it was; Infinity: at once. */
  readonly speed: number;
  /** Real time that the program has to open the connection that comes next. */
  readonly waitMs: number;
  readonly host: ReplayHost;
  /** The runtime's clock. */
  readonly realMs: () => number;
  /** Called at the end of the recording. */
  readonly ended: () => void;
}

/** See the top of this file. */
export class Player {
  readonly #recording: Recording;
  readonly #path: string;
  readonly #waitMs: number;
  readonly #host: ReplayHost;
  readonly #realMs: () => number;
  readonly #ended: () => void;
  readonly #clock: ReplayClock;
  readonly #meeting: MeetingPoint = new MeetingPoint();
  #wheel: TimerWheel | undefined = undefined;
  /** When the wheel has something due, on the replay's clock. */
  #dueMs = Infinity;
  #entry: RecordingEntry | undefined = undefined;
  readonly #streams: Map<number, ReplayConnection> = new Map();
  #left: ReplayConnection[] = [];
  /** Turns given to the program before the current record, and since when it is waited for. */
  #turnsGiven = 0;
  #waitingSinceMs = -1;
  #damageCount = 0;
  #isOver = false;
  #records = 0;
  #inBytes = 0;
  #connections = 0;
  #missed = 0;
  #incomplete = 0;

  constructor({ recording, speed, waitMs, host, realMs, ended }: PlayerOptions) {
    this.#recording = recording;
    this.#path = recording.path;
    this.#waitMs = waitMs;
    this.#host = host;
    this.#realMs = realMs;
    this.#ended = ended;
    this.#clock = new ReplayClock(speed, realMs);
    this.#skipSessions();
  }

  /** The time of the recording, milliseconds. */
  get nowMs(): number {
    return this.#clock.nowMs;
  }

  /** Connections that stand, and those that have met nobody yet. */
  get connectionCount(): number {
    return this.#streams.size + this.#meeting.waitingCount;
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

  /** Time passes from now on. */
  begin(): void {
    this.#clock.keepPace();
  }

  /** Joins the loop's deadlines. */
  watch(wheel: TimerWheel): void {
    this.#wheel = wheel;
  }

  /** The wheel wants to be advanced at `dueMs`. Returns whether that is earlier than before. */
  armed(dueMs: number): boolean {
    if (dueMs >= this.#dueMs) return false;
    this.#dueMs = dueMs;
    return true;
  }

  /** The program connects. @throws RingwireError `ERR_RECORDING` when the recording is over. */
  connect(handler: ConnectionHandler, remote: Address): ReplayConnection {
    this.#checkOver("connect");
    const connection = new ReplayConnection(this.#host, handler, remote, true);
    this.#meeting.wait(connection);
    return connection;
  }

  /** The program listens, until the returned function is called. @throws as `connect`. */
  listen(handler: ListenerHandler, address: Address): () => void {
    this.#checkOver("listen");
    return this.#meeting.listen(address, handler);
  }

  /** The program closes a connection, which is told at the next step. */
  leave(connection: ReplayConnection): void {
    if (!this.#left.includes(connection)) this.#left.push(connection);
  }

  /** Does what comes next. Returns `AGAIN`, or for how long to wait, milliseconds; Infinity: for the program. */
  step(): number {
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
      const connection = new ReplayConnection(this.#host, NOBODY, addressOf(facts.remote) ?? UNKNOWN, false);
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
    const nowMs = this.#realMs();
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
    this.#ended();
    return AGAIN;
  }

  // ── endings ──────────────────────────────────────────────────────────────────────────────────

  /** The loop is closed: so is everything. */
  close(): void {
    this.#closeAll(undefined);
    this.#tellLeft();
    this.#recording.close();
  }

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

  #checkOver(action: string): void {
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

function errorOf(facts: Readonly<Record<string, unknown>>): RingwireError | undefined {
  if (typeof facts.code !== "string") return undefined;
  const code = ERROR_CODES.find((known): known is ErrorCode => known === facts.code) ?? "ERR_SYSTEM";
  return new RingwireError(code, String(facts.message));
}
