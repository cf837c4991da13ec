/**
 * Short ASCII texts that lie close together, read as parts of one string: a call into the runtime costs more than such a text, and a part
 * of a string next to nothing.
 *
 * Who keeps one of the texts may keep the whole run, so that a run is short.
 */

/** Reads bytes as characters U+0000 to U+00FF with what a runtime has for it. See `Runtime.readLatin1`. */
export type Latin1Reader = (bytes: Uint8Array, start: number, end: number) => string;

/** Longest run, in bytes: 16 texts of 14 bytes with their headers, beyond which little is saved. */
const MAX_RUN_BYTES = 256;

const EMPTY = new Uint8Array(0);

/** Reads texts of one range of bytes, best in their order. */
export class AsciiRun {
  readonly #read: Latin1Reader;
  #bytes: Uint8Array = EMPTY;
  /** Where the texts end that may come. */
  #limit = 0;
  /** The run is `bytes[start, end)`. */
  #start = 0;
  #end = 0;
  #text = "";

  constructor(read: Latin1Reader) {
    this.#read = read;
  }

  /** Says where texts lie from now on: below `limit`. The bytes must stay as they are until the next call. */
  begin(bytes: Uint8Array, limit: number): void {
    this.#bytes = bytes;
    this.#limit = limit;
    this.#start = 0;
    this.#end = 0;
    this.#text = "";
  }

  /** Reads `[start, end)` of the bytes, which is ASCII. */
  read(start: number, end: number): string {
    if (start < this.#start || end > this.#end) this.#open(start);
    return this.#text.substring(start - this.#start, end - this.#start);
  }

  #open(start: number): void {
    this.#start = start;
    this.#end = Math.min(start + MAX_RUN_BYTES, this.#limit);
    this.#text = this.#read(this.#bytes, start, this.#end);
  }
}
