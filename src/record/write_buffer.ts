/**
 * Gets bytes into a file without ever waiting for it: they are gathered in a ring of memory, which is written in the background, in
 * order, one large piece after the other. Who finds no room is told so.
 */

import type { RingwireError } from "../errors.ts";
import type { OutputFile } from "../runtime/files.ts";

/** Fewer bytes wait for a flush, and more for the next write; a quarter of the ring where that is less. */
const WRITE_FROM_BYTES = 256 << 10;
/** Long, because a busy thread returns to its event loop every few milliseconds only, to begin the next. */
const WRITE_TO_BYTES = 4 << 20;

/** Somebody who waits until the file has everything up to `end`. */
interface Flush {
  readonly end: number;
  readonly done: () => void;
}

/** See the top of this file. What is put in lies in one piece, so the ring may end before its memory does. */
export class WriteBuffer {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Where the next bytes go, after `makeRoom`. The caller moves it on. */
  used: number = 0;
  /** From here to `used` nothing is in the file, nor on its way there. */
  #taken = 0;
  /** From here to `#taken` is on its way. */
  #start = 0;
  /** Where the older bytes end while `used` is in front of them; −1: it is not. */
  #end = -1;
  readonly #file: OutputFile;
  /** Least bytes of a write that no flush has asked for, and most of any. */
  readonly #fromBytes: number;
  readonly #toBytes: number;
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
    sizeBytes: number,
    leaving: () => void,
    freed: (failure: RingwireError | undefined) => void,
  ) {
    this.#file = file;
    this.#position = position;
    // Takes memory as it is touched: nothing for what is never needed.
    this.bytes = new Uint8Array(sizeBytes);
    this.view = new DataView(this.bytes.buffer);
    this.#toBytes = Math.min(WRITE_TO_BYTES, sizeBytes >> 2);
    this.#fromBytes = Math.min(WRITE_FROM_BYTES, this.#toBytes);
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
    if (!this.hasRoom(sizeBytes)) {
      if (this.#end >= 0 || sizeBytes >= this.#start) return false;
      this.#leaving();
      this.#end = this.used;
      this.used = 0;
    }
    if (this.#waitingBytes >= this.#fromBytes) this.#startWriting();
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
