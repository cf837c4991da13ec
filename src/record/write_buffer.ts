/**
 * Gets bytes into a file without ever waiting for it: they are gathered in a ring of memory, which is written in the background, in
 * order, one large piece after the other. The ring grows while the file does not keep up, to a limit: who finds no room then is told so.
 */

import type { RingwireError } from "../errors.ts";
import type { OutputFile } from "../runtime/files.ts";

/** Fewer bytes wait for a flush, and more for the next write; a quarter of the ring where that is less. Each write wakes another thread, and its end this one. */
const WRITE_FROM_BYTES = 1 << 20;
/** Long, because a busy thread returns to its event loop every few milliseconds only, to begin the next. */
const WRITE_TO_BYTES = 4 << 20;
/**
 * The ring begins with so much, or a sixteenth of what it may become. With all of 16 MiB from the beginning JavaScriptCore collects its garbage so much later
 * that strings are made in cold memory: 5 to 10 % of the messages a second on Bun, although nothing was recorded.
 */
const FIRST_BYTES = 1 << 20;
const FIRST_SHARE = 16;
const GROWTH_FACTOR = 4;
/** From here on the next ring is the largest: to move more than this once would be felt. */
const JUMP_FROM_BYTES = 4 << 20;

/** Somebody who waits until the file has everything up to `end`. */
interface Flush {
  readonly end: number;
  readonly done: () => void;
}

/** Undefined: there is no memory for so much. That is no reason to end a connection whose bytes are to be recorded. */
function allocate(sizeBytes: number): Uint8Array<ArrayBuffer> | undefined {
  try {
    return new Uint8Array(sizeBytes);
  } catch {
    return undefined;
  }
}

/** See the top of this file. What is put in lies in one piece, so the ring may end before its memory does. */
export class WriteBuffer {
  bytes: Uint8Array;
  view: DataView;
  /** Where the next bytes go, after `makeRoom`. The caller moves it on. */
  used: number = 0;
  /** From here to `used` nothing is in the file, nor on its way there. */
  #taken = 0;
  /** From here to `#taken` is on its way. */
  #start = 0;
  /** Where the older bytes end while `used` is in front of them; −1: it is not. */
  #end = -1;
  readonly #file: OutputFile;
  #mostBytes = 0;
  /** Least bytes of a write that no flush has asked for, and most of any. */
  #fromBytes = 0;
  #toBytes = 0;
  /** Called before bytes leave: what is still open must be finished. */
  readonly #leaving: () => void;
  /** Called when there is room again, and when writing has failed. */
  readonly #freed: (failure: RingwireError | undefined) => void;
  /** Where the file ends, what is on its way included. */
  #position: number;
  #isWriting = false;
  #flushes: Flush[] = [];
  #failure: RingwireError | undefined = undefined;

  constructor(
    file: OutputFile,
    position: number,
    mostBytes: number,
    leaving: () => void,
    freed: (failure: RingwireError | undefined) => void,
  ) {
    this.#file = file;
    this.#position = position;
    this.#limit(mostBytes);
    this.bytes = new Uint8Array(Math.min(FIRST_BYTES, Math.ceil(mostBytes / FIRST_SHARE)));
    this.view = new DataView(this.bytes.buffer);
    this.#leaving = leaving;
    this.#freed = freed;
  }

  /** Bytes that are not in the file yet. */
  get bufferedBytes(): number {
    return this.used - this.#start + Math.max(0, this.#end);
  }

  /** Those of them that are not on their way. */
  get #waitingBytes(): number {
    return this.used - this.#taken + Math.max(0, this.#end);
  }

  /** Whether `sizeBytes` find room at `used`. */
  hasRoom(sizeBytes: number): boolean {
    // Never quite up to the older bytes: a full ring would look like an empty one.
    return this.#end < 0 ? this.used + sizeBytes <= this.bytes.length : this.used + sizeBytes < this.#start;
  }

  /** Makes room at `used`, which may move. False: too much waits to be written, or nothing can be. */
  makeRoom(sizeBytes: number): boolean {
    if (this.#failure !== undefined) return false;
    const hasRoom = this.hasRoom(sizeBytes) || this.#turnOrGrow(sizeBytes);
    if (this.#waitingBytes >= this.#fromBytes) this.#startWriting();
    return hasRoom;
  }

  #turnOrGrow(sizeBytes: number): boolean {
    this.#leaving();
    if (this.#end >= 0 || sizeBytes >= this.#start) return this.#grow(sizeBytes);
    this.#end = this.used;
    this.used = 0;
    return true;
  }

  /** Resolves when everything that is there now is in the file, or writing has failed. */
  flush(): Promise<void> {
    this.#leaving();
    const end = this.#position + this.#waitingBytes;
    return new Promise((done) => {
      this.#flushes.push({ end, done });
      this.#startWriting();
    });
  }

  #limit(mostBytes: number): void {
    this.#mostBytes = mostBytes;
    this.#toBytes = Math.min(WRITE_TO_BYTES, mostBytes >> 2);
    this.#fromBytes = Math.min(WRITE_FROM_BYTES, this.#toBytes);
  }

  /** Moves everything to a larger ring, where it lies in one piece with room for `sizeBytes` behind it. False: that would be too large, or there is no memory. */
  #grow(sizeBytes: number): boolean {
    const neededBytes = this.bufferedBytes + sizeBytes;
    if (neededBytes > this.#mostBytes || this.bytes.length === this.#mostBytes) return false;
    const wantedBytes =
      this.bytes.length < JUMP_FROM_BYTES ? this.bytes.length * GROWTH_FACTOR : this.#mostBytes;
    const larger = allocate(Math.min(this.#mostBytes, Math.max(neededBytes, wantedBytes)));
    if (larger === undefined) {
      // Not asked for again: each refusal is a collection of all garbage.
      this.#limit(this.bytes.length);
      return false;
    }
    const older = this.bytes.subarray(this.#start, this.#end < 0 ? this.used : this.#end);
    larger.set(older);
    if (this.#end >= 0) larger.set(this.bytes.subarray(0, this.used), older.length);
    this.used = this.bufferedBytes;
    this.#end = -1;
    // What is on its way is read where it was.
    this.#taken -= this.#start;
    this.#start = 0;
    this.bytes = larger;
    this.view = new DataView(larger.buffer);
    return true;
  }

  #startWriting(): void {
    if (this.#isWriting) return;
    this.#isWriting = true;
    this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    try {
      while (
        this.#failure === undefined &&
        this.#waitingBytes >= (this.#flushes.length > 0 ? 1 : this.#fromBytes)
      ) {
        const piece = this.#take();
        const position = this.#position;
        this.#position += piece.length;
        await this.#file.write(piece, position);
        this.#written();
      }
    } catch (error) {
      this.#failure = error as RingwireError;
      this.#freed(this.#failure);
    } finally {
      this.#isWriting = false;
      this.#finishFlushes();
    }
  }

  /** The oldest bytes. */
  #take(): Uint8Array {
    this.#leaving();
    const end = this.#end < 0 ? this.used : this.#end;
    this.#taken = Math.min(end, this.#start + this.#toBytes);
    return this.bytes.subarray(this.#start, this.#taken);
  }

  /** What was taken is in the file: there is room again. */
  #written(): void {
    this.#start = this.#taken;
    if (this.#start === this.#end) {
      this.#end = -1;
      this.#start = 0;
      this.#taken = 0;
    }
    // Memory that was used a moment ago is the fastest.
    if (this.#start === this.used && this.#end < 0) {
      this.used = 0;
      this.#start = 0;
      this.#taken = 0;
    }
    this.#freed(undefined);
    this.#finishFlushes();
  }

  #finishFlushes(): void {
    const isOver = this.#failure !== undefined;
    const flushes = this.#flushes;
    this.#flushes = flushes.filter(({ end }) => end > this.#position && !isOver);
    for (const { end, done } of flushes) if (end <= this.#position || isOver) done();
  }
}
