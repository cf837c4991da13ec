/**
 * Gets bytes into a file without ever waiting for it: they are gathered in blocks of memory, which are written one
 * after the other in the background. The number of blocks is limited; who finds no room is told so.
 */
/** A piece of memory on its way into the file. */
class Block {
    bytes;
    view;
    used = 0;
    /** Bytes of it that are in the file, or on their way. */
    written = 0;
    constructor(sizeBytes) {
        this.bytes = new Uint8Array(sizeBytes);
        this.view = new DataView(this.bytes.buffer);
    }
}
/** See the top of this file. */
export class BlockWriter {
    /** Where the next bytes go: `bytes[used, …)`, after `makeRoom`. The caller moves `used` on. */
    current;
    #file;
    #blockBytes;
    #maxBlocks;
    /** Called before the current block's bytes leave: what is still open in it must be finished. */
    #leaving;
    /** Called when blocks have become free, and when writing has failed. */
    #freed;
    /** Full blocks, the oldest first. */
    #full = [];
    #spare = [];
    #blockCount = 1;
    #position;
    #isWriting = false;
    #writing = Promise.resolve();
    #failure = undefined;
    constructor(file, position, blockBytes, maxBlocks, leaving, freed) {
        this.#file = file;
        this.#position = position;
        this.#blockBytes = blockBytes;
        this.#maxBlocks = maxBlocks;
        this.#leaving = leaving;
        this.#freed = freed;
        this.current = new Block(blockBytes);
    }
    /** Bytes that are not in the file yet. */
    get bufferedBytes() {
        let count = this.current.used - this.current.written;
        for (const block of this.#full)
            count += block.used - block.written;
        return count;
    }
    /** Makes room for `sizeBytes`, at most a block, in `current`. False: all blocks wait to be written. */
    makeRoom(sizeBytes) {
        if (this.current.used + sizeBytes <= this.#blockBytes)
            return true;
        if (this.#failure !== undefined)
            return false;
        const next = this.#spare.pop() ?? this.#newBlock();
        if (next === undefined)
            return false;
        this.#leaving();
        this.#full.push(this.current);
        this.current = next;
        this.#start();
        return true;
    }
    /** Writes everything. Resolves when it is in the file, or writing has failed. */
    async flush() {
        this.#leaving();
        this.#start();
        await this.#writing;
    }
    #newBlock() {
        if (this.#blockCount === this.#maxBlocks)
            return undefined;
        this.#blockCount++;
        return new Block(this.#blockBytes);
    }
    #start() {
        if (this.#isWriting || this.#failure !== undefined)
            return;
        this.#isWriting = true;
        this.#writing = this.#writeAll();
    }
    async #writeAll() {
        try {
            // The current block goes last, and goes on being filled behind what is being written.
            for (;;) {
                const block = this.#full[0] ?? this.current;
                if (block === this.current)
                    this.#leaving();
                const start = block.written;
                if (start < block.used) {
                    block.written = block.used;
                    const position = this.#position;
                    this.#position += block.used - start;
                    await this.#file.write(block.bytes.subarray(start, block.written), position);
                }
                if (block.written < block.used)
                    continue;
                if (block === this.current)
                    break;
                this.#full.shift();
                block.used = 0;
                block.written = 0;
                this.#spare.push(block);
                this.#freed(undefined);
            }
        }
        catch (error) {
            this.#failure = error;
            this.#freed(this.#failure);
        }
        finally {
            this.#isWriting = false;
        }
    }
}
