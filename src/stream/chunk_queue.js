/** Received bytes that nobody has taken yet, first in, first out. Its owner keeps it short by pausing the connection. */
/** Small chunks cost more than their bytes: an object and its buffer. */
const CHUNK_OVERHEAD_BYTES = 64;
/** See the top of this file. */
export class ChunkQueue {
    /** Bytes of all chunks held, with what they cost besides. */
    heldBytes = 0;
    #chunks = [];
    #head = 0;
    /** Number of chunks held. */
    get count() {
        return this.#chunks.length - this.#head;
    }
    push(chunk) {
        this.#chunks.push(chunk);
        this.heldBytes += chunk.length + CHUNK_OVERHEAD_BYTES;
    }
    shift() {
        if (this.count === 0)
            return undefined;
        const chunk = this.#chunks[this.#head];
        this.#chunks[this.#head++] = undefined;
        this.heldBytes -= chunk.length + CHUNK_OVERHEAD_BYTES;
        // Moving the rest down once half is spent keeps both ends O(1) on average.
        if (this.#head * 2 > this.#chunks.length) {
            this.#chunks = this.#chunks.slice(this.#head);
            this.#head = 0;
        }
        return chunk;
    }
    clear() {
        this.#chunks = [];
        this.#head = 0;
        this.heldBytes = 0;
    }
}
