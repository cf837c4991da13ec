/**
 * The memory that all connections of a native transport encode into. What a turn commits lies here until the
 * flush at its end; then the arena starts again at its beginning, where the cache is warm.
 */
const FIRST_BYTES = 65_536;
/** A bump allocator over one array, which is replaced by a larger one while a turn needs more. */
export class SendArena {
    /** The largest size the array grows to, and so the largest reservation. */
    maxBytes;
    bytes = new Uint8Array(FIRST_BYTES);
    /** First free index. */
    used = 0;
    constructor(maxBytes) {
        this.maxBytes = Math.max(FIRST_BYTES, maxBytes);
    }
    fits(sizeBytes) {
        return this.bytes.length - this.used >= sizeBytes;
    }
    /**
     * Makes room in a larger array, if there may be one. Returns whether there is room now. The old array stays
     * with those who committed to it.
     */
    grow(sizeBytes) {
        if (this.bytes.length >= this.maxBytes)
            return false;
        let size = this.bytes.length * 4;
        while (size < sizeBytes)
            size *= 2;
        this.bytes = new Uint8Array(Math.min(size, this.maxBytes));
        this.used = 0;
        return this.fits(sizeBytes);
    }
    /** Everything committed was written or copied away. */
    rewind() {
        this.used = 0;
    }
}
