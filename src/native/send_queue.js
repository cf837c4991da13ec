/** What one connection could not hand to the system: bytes in order, in chunks. Used under backpressure only. */
const FIRST_CHUNK_BYTES = 4_096;
const CHUNK_BYTES = 65_536;
/** A first-in first-out queue of bytes. Empty, it holds no memory. */
export class SendQueue {
    /** Bytes in the queue. */
    bytes = 0;
    #chunks = [];
    /** Where the first chunk's bytes begin, and where the last one's end. */
    #start = 0;
    #end = 0;
    /** The chunk whose bytes `[frontStart, frontEnd)` come next. Only while `bytes` is above 0. */
    get front() {
        return this.#chunks[0];
    }
    get frontStart() {
        return this.#start;
    }
    get frontEnd() {
        return this.#chunks.length === 1 ? this.#end : this.#chunks[0].length;
    }
    /** Copies `bytes[start, end)` to the end of the queue. */
    append(bytes, start, end) {
        this.bytes += end - start;
        let from = start;
        while (from < end) {
            let last = this.#chunks.at(-1);
            if (last === undefined || this.#end === last.length) {
                // A stalled peer's first few bytes must not cost a whole chunk: there may be thousands of such peers.
                const least = last === undefined ? FIRST_CHUNK_BYTES : CHUNK_BYTES;
                last = new Uint8Array(Math.min(CHUNK_BYTES, Math.max(least, end - from)));
                this.#chunks.push(last);
                this.#end = 0;
            }
            const count = Math.min(end - from, last.length - this.#end);
            last.set(bytes.subarray(from, from + count), this.#end);
            this.#end += count;
            from += count;
        }
    }
    /** Takes `count` bytes off the front chunk. */
    consume(count) {
        this.bytes -= count;
        this.#start += count;
        if (this.bytes === 0)
            this.clear();
        else if (this.#start === this.#chunks[0].length) {
            this.#chunks.shift();
            this.#start = 0;
        }
    }
    clear() {
        this.bytes = 0;
        this.#chunks.length = 0;
        this.#start = 0;
        this.#end = 0;
    }
}
