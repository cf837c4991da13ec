/**
 * Messages that lie whole in a buffer, as plain numbers: what `MessageDecoder.gather` fills, and what a batch is made of.
 * Four words a message in one array, so that neither side touches an object per message.
 */

/**
 * Words of a record: where the payload begins and ends, its key while it is still masked (else 0), and its kind, with the number of the
 * buffer that it lies in above it (0: the read itself). A fifth word would cost an echo of 64 B 45 instructions of 800 on Node.
 */
export const RECORD_WORDS = 4;
export const RECORD_START = 0;
export const RECORD_END = 1;
export const RECORD_KEY = 2;
export const RECORD_KIND = 3;
export const KIND_MASK = 3;
export const BUFFER_SHIFT = 2;

/** Kinds of messages: OPCODE_TEXT, OPCODE_BINARY, and a short text that is known to be ASCII. */
export const SHORT_ASCII = 0;
/** The longest of those, in bytes. */
export const MAX_SHORT_ASCII_BYTES = 64;

/** A list of so many is full, and the read is handed over in parts. Bounds what a read of tiny frames can cost: 64 KiB. */
export const MAX_LISTED = 4_096;

const FIRST_LISTED = 16;
const NO_RECORDS = new Int32Array(0);

/** A growing list of messages, reused from read to read. */
export class MessageList {
  /** `count` records; more may follow that mean nothing. */
  records: Int32Array = NO_RECORDS;
  count: number = 0;

  /** Whether no more are taken before the list is emptied. */
  get isFull(): boolean {
    return this.count >= MAX_LISTED;
  }

  /** Appends a record. */
  add(start: number, end: number, key: number, kind: number): void {
    const at = this.count++ * RECORD_WORDS;
    if (at === this.records.length) this.#grow();
    const { records } = this;
    records[at + RECORD_START] = start;
    records[at + RECORD_END] = end;
    records[at + RECORD_KEY] = key;
    records[at + RECORD_KIND] = kind;
  }

  #grow(): void {
    const grown = new Int32Array(Math.max(FIRST_LISTED * RECORD_WORDS, this.records.length * 2));
    grown.set(this.records);
    this.records = grown;
  }
}
