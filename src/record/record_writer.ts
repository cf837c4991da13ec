/**
 * A recorder from the inside: turns what taps see into records, keeps count of what found no room, and appends to
 * the file. `Recorder` is its face.
 */

import { RingwireError } from "../errors.ts";
import type { CopyCrc32 } from "../protocol/codec.ts";
import { copyBytes } from "../protocol/copy_bytes.ts";
import { copyCrc32 } from "../runtime/crc32.ts";
import { type OutputFile, openOutput } from "../runtime/files.ts";
import {
  HEADER_BYTES,
  KIND_CLOSED,
  KIND_IN,
  KIND_LOSS,
  KIND_OPEN,
  KIND_OUT,
  KIND_SESSION,
  MAGIC,
  PAYLOAD_CRC_AT,
  writeHeader,
} from "./record_format.ts";
import { Recording } from "./recording.ts";
import { WriteBuffer } from "./write_buffer.ts";

/** Longer reads and commits become several records. */
const PIECE_BYTES = 128 << 10;
/** At least as long as a loss record. */
const LOSS_BYTES = 256;
const EMPTY = new Uint8Array(0);
const encoder = new TextEncoder();

/** Counters of a recorder. */
export interface RecorderStats {
  /** Records made, those of connections being opened and closed included. */
  readonly records: number;
  /** Bytes of them, headers included. */
  readonly bytes: number;
  /** Records that found no room in memory and are missing in the file; loss records tell where. */
  readonly lostRecords: number;
  /** Received and sent bytes in them. */
  readonly lostBytes: number;
  /** Bytes that wait in memory to be written. */
  readonly bufferedBytes: number;
}

/** One connection being recorded, as the writer sees it. */
export interface Tap {
  readonly connection: number;
  /** What is missing since its last loss record. */
  lost: { records: number; inBytes: number; outBytes: number };
  /** Its open record is missing: the rest is of no use. */
  isLost: boolean;
  /** The payload of a closed record that found no room yet. */
  pendingClose: Uint8Array | undefined;
}

/** Files that are being written: two writers of one would write over each other. */
const written = new Set<string>();

/** See the top of this file. */
export class RecordWriter {
  failure: RingwireError | undefined = undefined;
  readonly #file: OutputFile;
  readonly #buffer: WriteBuffer;
  readonly #flushMs: number;
  readonly #failed: (error: RingwireError) => void;
  /** As the loop has it whose connection came last: C is faster than some runtimes. */
  #copyCrc32: CopyCrc32 = copyCrc32;
  readonly #lossy: Set<Tap> = new Set();
  #lastConnection = 0;
  #records = 0;
  #bytes = 0;
  #lostRecords = 0;
  #lostBytes = 0;
  #flushTimer: ReturnType<typeof setTimeout> | undefined = undefined;
  /** The out record that is still growing, at `#runAt` of the buffer. */
  #run: Tap | undefined = undefined;
  #runAt = 0;
  #runNs = 0;
  #isClosed = false;

  /**
   * Opens a file, or goes on with the recording that is there.
   *
   * @param failed - Told once when writing fails; nothing more is recorded then.
   * @throws RingwireError `ERR_RECORDING` when the file cannot be written, is something else, or has a writer already.
   */
  constructor(
    path: string,
    maxBufferedBytes: number,
    flushMs: number,
    failed: (error: RingwireError) => void,
  ) {
    this.#flushMs = flushMs;
    this.#failed = failed;
    this.#file = openOutput(path);
    if (written.has(this.#file.identity)) {
      this.#file.close();
      throw new RingwireError(
        "ERR_RECORDING",
        `Cannot record to "${path}": another recorder of this process does; share it`,
      );
    }
    const position = this.#file.sizeBytes === 0 ? 0 : this.#goOn(path);
    this.#buffer = new WriteBuffer(
      this.#file,
      position,
      maxBufferedBytes,
      () => this.#endRun(),
      (failure) => this.#freed(failure),
    );
    if (position === 0) {
      this.#buffer.bytes.set(MAGIC);
      this.#buffer.used = MAGIC.length;
    }
    written.add(this.#file.identity);
    const monotonicNs = Math.round(performance.now() * 1e6);
    this.#put(KIND_SESSION, 0, monotonicNs, toJson({ wallMs: Date.now(), monotonicNs }));
  }

  get stats(): RecorderStats {
    return {
      records: this.#records,
      bytes: this.#bytes,
      lostRecords: this.#lostRecords,
      lostBytes: this.#lostBytes,
      bufferedBytes: this.#buffer.bufferedBytes,
    };
  }

  /** A connection stands. */
  open(facts: object, timeNs: number, copy: CopyCrc32 = copyCrc32): Tap {
    this.#copyCrc32 = copy;
    const tap: Tap = {
      connection: ++this.#lastConnection,
      lost: { records: 0, inBytes: 0, outBytes: 0 },
      isLost: false,
      pendingClose: undefined,
    };
    tap.isLost = !this.note(tap, KIND_OPEN, timeNs, toJson(facts));
    return tap;
  }

  /** A record of one connection that carries none of its bytes. Returns whether it found room. */
  note(tap: Tap, kind: number, timeNs: number, payload: Uint8Array = EMPTY): boolean {
    if (this.#isClosed) return false;
    if (this.#settle(tap, payload.length) && this.#put(kind, tap.connection, timeNs, payload)) return true;
    this.#lose(tap, 0, 0);
    return false;
  }

  /** One read. */
  received(tap: Tap, timeNs: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.#isClosed) return;
    for (let from = start; from < end; from += PIECE_BYTES) {
      const to = Math.min(end, from + PIECE_BYTES);
      const isRoom =
        this.#settle(tap, to - from) && this.#put(KIND_IN, tap.connection, timeNs, bytes, from, to);
      if (!isRoom) this.#lose(tap, to - from, 0);
    }
  }

  /**
   * One commit. Those that follow one another on a connection grow one record, until `endRun` or anything else is recorded.
   *
   * @returns Whether a run has begun, for which `endRun` has to come at the end of the turn.
   */
  sent(tap: Tap, nowNs: () => number, bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#isClosed) return false;
    const size = end - start;
    const buffer = this.#buffer;
    if (this.#run === tap && buffer.hasRoom(size) && buffer.used + size - this.#runAt <= PIECE_BYTES) {
      copyBytes(bytes, start, end, buffer.bytes, buffer.used);
      buffer.used += size;
      return false;
    }
    this.#endRun();
    const timeNs = nowNs();
    let from = start;
    for (; end - from > PIECE_BYTES / 2; from += PIECE_BYTES / 2) {
      const to = from + PIECE_BYTES / 2;
      const isRoom =
        this.#settle(tap, to - from) && this.#put(KIND_OUT, tap.connection, timeNs, bytes, from, to);
      if (!isRoom) this.#lose(tap, 0, to - from);
    }
    if (!this.#settle(tap, end - from) || !this.#buffer.makeRoom(HEADER_BYTES + end - from)) {
      this.#lose(tap, 0, end - from);
      return false;
    }
    this.#beginRun(tap, timeNs, bytes, from, end);
    return true;
  }

  /** The connection is gone. */
  closed(tap: Tap, timeNs: number, error: RingwireError | undefined): void {
    if (this.#isClosed || tap.isLost) return;
    const payload = error === undefined ? EMPTY : toJson({ code: error.code, message: error.message });
    if (this.#settle(tap, payload.length) && this.#put(KIND_CLOSED, tap.connection, timeNs, payload)) return;
    tap.pendingClose = payload;
    if (this.failure === undefined) this.#lossy.add(tap);
  }

  /** What was committed in this turn is complete. */
  endRun(): void {
    this.#endRun();
  }

  /** Resolves when everything recorded so far is in the file. @throws RingwireError when it cannot be. */
  async flush(): Promise<void> {
    clearTimeout(this.#flushTimer);
    this.#flushTimer = undefined;
    await this.#buffer.flush();
    if (this.#lossy.size > 0 && this.failure === undefined) await this.#buffer.flush();
    if (this.failure !== undefined) throw this.failure;
  }

  /** As `flush`, and the device has it (fsync). */
  async sync(): Promise<void> {
    await this.flush();
    await this.#file.sync();
  }

  /** Takes no more records, gets those that are there onto the device, and ends. @throws RingwireError as `flush`. */
  async finish(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.sync().finally(() => this.end());
  }

  /** Ends at once; `sync` comes first. */
  end(): void {
    this.#isClosed = true;
    clearTimeout(this.#flushTimer);
    written.delete(this.#file.identity);
    this.#file.close();
  }

  /** Finds the end of the recording that is there and cuts off what a crash has left. Returns where to append. */
  #goOn(path: string): number {
    const recording = new Recording(path, this.#file);
    for (const { connection } of recording) {
      if (connection > this.#lastConnection) this.#lastConnection = connection;
    }
    if (recording.readBytes < this.#file.sizeBytes) this.#file.truncate(recording.readBytes);
    return recording.readBytes;
  }

  #put(
    kind: number,
    connection: number,
    timeNs: number,
    payload: Uint8Array,
    start = 0,
    end: number = payload.length,
  ): boolean {
    this.#endRun();
    const size = end - start;
    if (!this.#buffer.makeRoom(HEADER_BYTES + size)) return false;
    const buffer = this.#buffer;
    const at = buffer.used;
    this.#copyCrc32(payload, start, end, buffer.bytes, at + HEADER_BYTES, at + PAYLOAD_CRC_AT);
    writeHeader(buffer.view, at, kind, connection, size, timeNs);
    buffer.used = at + HEADER_BYTES + size;
    this.#count(HEADER_BYTES + size);
    return true;
  }

  #beginRun(tap: Tap, timeNs: number, bytes: Uint8Array, start: number, end: number): void {
    this.#run = tap;
    this.#runAt = this.#buffer.used;
    this.#runNs = timeNs;
    copyBytes(bytes, start, end, this.#buffer.bytes, this.#runAt + HEADER_BYTES);
    this.#buffer.used = this.#runAt + HEADER_BYTES + end - start;
  }

  #endRun(): void {
    const tap = this.#run;
    if (tap === undefined) return;
    this.#run = undefined;
    const { bytes, view, used } = this.#buffer;
    const at = this.#runAt;
    const start = at + HEADER_BYTES;
    const size = used - start;
    this.#copyCrc32(bytes, start, used, bytes, start, at + PAYLOAD_CRC_AT);
    writeHeader(view, at, KIND_OUT, tap.connection, size, this.#runNs);
    this.#count(HEADER_BYTES + size);
  }

  #count(bytes: number): void {
    this.#records++;
    this.#bytes += bytes;
    this.#flushTimer ??= setTimeout(() => {
      this.#flushTimer = undefined;
      // What fails is told to `#failed`.
      this.#buffer.flush();
    }, this.#flushMs);
  }

  #lose(tap: Tap, inBytes: number, outBytes: number): void {
    tap.lost.records++;
    tap.lost.inBytes += inBytes;
    tap.lost.outBytes += outBytes;
    this.#lostRecords++;
    this.#lostBytes += inBytes + outBytes;
    if (this.failure === undefined) this.#lossy.add(tap);
  }

  /** Whether a connection can go on with a record of `sizeBytes`; what is missing of it is written down first. */
  #settle(tap: Tap, sizeBytes: number): boolean {
    if (tap.isLost) return false;
    if (tap.lost.records === 0) return true;
    return this.#buffer.makeRoom(LOSS_BYTES + HEADER_BYTES + sizeBytes) && this.#noteLoss(tap);
  }

  /** Writes down what of a connection found no room before. Returns whether that found room now. */
  #noteLoss(tap: Tap): boolean {
    const timeNs = Math.round(performance.now() * 1e6);
    if (tap.lost.records > 0) {
      if (!this.#put(KIND_LOSS, tap.connection, timeNs, toJson(tap.lost))) return false;
      tap.lost = { records: 0, inBytes: 0, outBytes: 0 };
    }
    if (tap.pendingClose !== undefined) {
      if (!this.#put(KIND_CLOSED, tap.connection, timeNs, tap.pendingClose)) return false;
      tap.pendingClose = undefined;
    }
    this.#lossy.delete(tap);
    return true;
  }

  #freed(failure: RingwireError | undefined): void {
    if (failure !== undefined) {
      this.failure = failure;
      this.#lossy.clear();
      this.#failed(failure);
      return;
    }
    for (const tap of this.#lossy) {
      if (!this.#noteLoss(tap)) break;
    }
  }
}

function toJson(value: object): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}
