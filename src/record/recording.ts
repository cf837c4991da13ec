/**
 * Reads a recording, record by record, and says where it is damaged. Synchronous: a file is read for replay or
 * inspection, not while sockets wait.
 */

import { RingwireError } from "../errors.ts";
import { type InputFile, openInput } from "../runtime/files.ts";
import {
  HEADER_BYTES,
  isIntact,
  kindName,
  MAGIC,
  type RecordHeader,
  type RecordKind,
  readHeader,
} from "./record_format.ts";

/** Something wrong with a file. */
export interface RecordingProblem {
  /**
   * `torn`: the file ends in the middle of a record, as after a crash. `corrupt`: what is here is no record, or its checksum does
   * not fit; reading goes on behind it.
   */
  readonly kind: "torn" | "corrupt";
  /** Where in the file, bytes. */
  readonly offset: number;
  /** How many bytes are lost with it. */
  readonly sizeBytes: number;
}

/** One record of a recording. */
export interface RecordingEntry {
  /** What it is about. */
  readonly kind: RecordKind;
  /** Which connection, from 1 on; 0 for a session. */
  readonly connection: number;
  /** When, nanoseconds on the recorder's monotonic clock. */
  readonly timeNs: number;
  /** Where in the file it begins, bytes. */
  readonly offset: number;
  /** What was received (`in`) or sent (`out`), or JSON; see {@linkcode RecordingEntry.facts}. A view that the next record overwrites. */
  readonly payload: Uint8Array;
  /** The payload of session, open, closed and loss records; `{}` for others, and for one that is no JSON object. */
  facts(): Readonly<Record<string, unknown>>;
}

const WINDOW_BYTES = 4 << 20;
const decoder = new TextDecoder();

/**
 * A recording, to be read from its beginning.
 *
 * @example
 * ```ts
 * import { Recording } from "ringwire/record";
 *
 * function count(path: string): number {
 *   using recording = new Recording(path);
 *   let records = 0;
 *   for (const { kind } of recording) if (kind === "in") records++;
 *   if (recording.problems.length > 0) console.warn(recording.problems);
 *   return records;
 * }
 * console.log(typeof count);
 * ```
 */
export class Recording implements Iterable<RecordingEntry>, Disposable {
  /** The file's path. */
  readonly path: string;
  /** Length of the file, bytes. */
  readonly sizeBytes: number;
  /** What is damaged, as far as the file has been read; see {@linkcode RecordingProblem}. */
  readonly problems: RecordingProblem[] = [];
  readonly #file: InputFile;
  readonly #window: Uint8Array;
  readonly #view: DataView;
  readonly #header: RecordHeader = { kind: 0, connection: 0, payloadBytes: 0, timeNs: 0, payloadCrc: 0 };
  /** The window holds `[#windowAt, #windowAt + #windowBytes)` of the file. */
  #windowAt = 0;
  #windowBytes = 0;
  #at: number = MAGIC.length;
  #isClosed = false;

  /**
   * Opens a file.
   *
   * @throws RingwireError `ERR_RECORDING` when it cannot be read or is no recording.
   */
  constructor(path: string, file: InputFile = openInput(path)) {
    this.path = path;
    this.#file = file;
    this.sizeBytes = file.sizeBytes;
    // A record fits the window, whatever lies before it.
    this.#window = new Uint8Array(Math.min(WINDOW_BYTES, Math.max(this.sizeBytes, MAGIC.length)));
    this.#view = new DataView(this.#window.buffer);
    const magic = new Uint8Array(MAGIC.length);
    const count = file.read(magic, 0);
    const fits = (length: number): boolean =>
      MAGIC.subarray(0, length).every((byte, at) => byte === magic[at]);
    if (count === MAGIC.length && fits(count)) return;
    file.close();
    const isNewer = count === MAGIC.length && fits(MAGIC.length - 1);
    const why = isNewer
      ? `its version is ${magic[MAGIC.length - 1]}, ours 1`
      : "it is no recording of Ringwire";
    throw new RingwireError("ERR_RECORDING", `Cannot read "${path}": ${why}`);
  }

  /** Where the last record that was read ends, bytes: what lies behind it is damaged or not read yet. */
  get readBytes(): number {
    return this.#at;
  }

  /** The next record, or undefined at the end. Its payload is a view that the next call overwrites. @throws RingwireError `ERR_NOT_OPEN` when closed. */
  next(): RecordingEntry | undefined {
    if (this.#isClosed) throw new RingwireError("ERR_NOT_OPEN", `Cannot read "${this.path}": it is closed`);
    if (this.#at === this.sizeBytes) return undefined;
    const isWhole = this.#isHeaderAt(this.#at) && this.#isPayloadIntact(this.#at);
    if (!isWhole && !this.#skipDamage()) return undefined;
    const { kind, connection, timeNs, payloadBytes } = this.#header;
    const offset = this.#at;
    const start = offset - this.#windowAt + HEADER_BYTES;
    this.#at = offset + HEADER_BYTES + payloadBytes;
    return new Entry(kind, connection, timeNs, offset, this.#window.subarray(start, start + payloadBytes));
  }

  /** All records from here on. */
  *[Symbol.iterator](): Generator<RecordingEntry, void, undefined> {
    for (let entry = this.next(); entry !== undefined; entry = this.next()) yield entry;
  }

  /** Closes the file. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#file.close();
  }

  /** Same as {@linkcode Recording.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Whether an undamaged header begins there, and its whole payload is in the file. Reads the header. */
  #isHeaderAt(at: number): boolean {
    if (!this.#holds(at, HEADER_BYTES) || !readHeader(this.#view, at - this.#windowAt, this.#header))
      return false;
    return this.#holds(at, HEADER_BYTES + this.#header.payloadBytes);
  }

  #isPayloadIntact(at: number): boolean {
    return isIntact(this.#window, at - this.#windowAt + HEADER_BYTES, this.#header);
  }

  /** Looks for the next record behind damage, and notes the damage. False: there is none, the file ends torn. */
  #skipDamage(): boolean {
    const from = this.#at;
    let at = from;
    while (at + HEADER_BYTES <= this.sizeBytes) {
      if (!this.#isHeaderAt(at)) at++;
      else if (this.#isPayloadIntact(at)) {
        this.problems.push({ kind: "corrupt", offset: from, sizeBytes: at - from });
        this.#at = at;
        return true;
      }
      // Its length is to be trusted, so nothing is looked at twice.
      else at += HEADER_BYTES + this.#header.payloadBytes;
    }
    // Once: whoever asks again is told that there is nothing.
    if (this.problems.at(-1)?.offset !== from) {
      this.problems.push({ kind: "torn", offset: from, sizeBytes: this.sizeBytes - from });
    }
    return false;
  }

  /** Makes the window hold `count` bytes from `at` on. False: the file has not so many. */
  #holds(at: number, count: number): boolean {
    if (at + count > this.sizeBytes) return false;
    if (at >= this.#windowAt && at + count <= this.#windowAt + this.#windowBytes) return true;
    this.#windowAt = at;
    this.#windowBytes = this.#file.read(this.#window, at);
    return count <= this.#windowBytes;
  }
}

class Entry implements RecordingEntry {
  readonly kind: RecordKind;
  readonly connection: number;
  readonly timeNs: number;
  readonly offset: number;
  readonly payload: Uint8Array;

  constructor(kind: number, connection: number, timeNs: number, offset: number, payload: Uint8Array) {
    this.kind = kindName(kind) as RecordKind;
    this.connection = connection;
    this.timeNs = timeNs;
    this.offset = offset;
    this.payload = payload;
  }

  facts(): Readonly<Record<string, unknown>> {
    if (this.payload.length === 0) return {};
    try {
      const value: unknown = JSON.parse(decoder.decode(this.payload));
      return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
    } catch {
      return {};
    }
  }
}
