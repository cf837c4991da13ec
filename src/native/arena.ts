/**
 * The memory that all connections of a native transport receive into and encode into: one array, as with io_uring, so that views of it are made
 * once and a message is forwarded within it.
 *
 *     a read | what the turn commits
 *
 * A read is copied to the front for as long as its handler runs: the array that a runtime makes for each read would need views of its own,
 * which cost more. What is committed lies behind it until the flush at the end of the turn; then the arena starts again, where the cache is warm.
 */

/** Larger reads stay where they are: the copy would cost more than the views. */
const READ_BYTES = 16_384;
const FIRST_BYTES = 65_536;

/** Room for one read and a bump allocator, over one array, which is replaced by a larger one while a turn needs more. */
export class Arena {
  /** The largest room for sending, and so the largest reservation. */
  readonly maxBytes: number;
  bytes: Uint8Array = new Uint8Array(READ_BYTES + FIRST_BYTES);
  /** Views of `bytes`. */
  view: DataView = new DataView(this.bytes.buffer);
  words: Int32Array = new Int32Array(this.bytes.buffer);
  /** First free index. */
  used: number = READ_BYTES;
  #isReading = false;

  constructor(maxBytes: number) {
    this.maxBytes = Math.max(FIRST_BYTES, maxBytes);
  }

  /** Copies a read to `bytes[0, size)`, until `release`. Returns false where it does not fit, or another one is there. */
  take(read: Uint8Array, start: number, end: number): boolean {
    const size = end - start;
    // No length: a program has given the memory of a view away. The next reservation makes new memory.
    if (size > this.bytes.length || size > READ_BYTES || this.#isReading) return false;
    this.bytes.set(size === read.length ? read : read.subarray(start, end));
    this.#isReading = true;
    return true;
  }

  /** The read has been handled. */
  release(): void {
    this.#isReading = false;
  }

  fits(sizeBytes: number): boolean {
    return this.bytes.length - this.used >= sizeBytes;
  }

  /**
   * Makes room in a larger array, if there may be one. Returns whether there is room now. The old array stays
   * with those who committed to it, and with the handler of the read in it.
   */
  grow(sizeBytes: number): boolean {
    const before = this.bytes.length - READ_BYTES;
    if (before >= this.maxBytes) return false;
    let size = Math.max(before * 4, FIRST_BYTES);
    while (size < sizeBytes) size *= 2;
    this.bytes = new Uint8Array(READ_BYTES + Math.min(size, this.maxBytes));
    this.view = new DataView(this.bytes.buffer);
    this.words = new Int32Array(this.bytes.buffer, 0, this.bytes.length >>> 2);
    this.used = READ_BYTES;
    return this.fits(sizeBytes);
  }

  /** Everything committed was written or copied away. */
  rewind(): void {
    this.used = READ_BYTES;
  }
}
