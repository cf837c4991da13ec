/**
 * The last sequence numbers of one key, rising, with the time and the lines each came by. A line reads on where it stopped, so
 * finding its next number takes no search, and nothing is allocated after the constructor.
 *
 * Whatever is forgotten leaves a floor behind: no number at or below it is ever taken again. So a number is taken at most once, however
 * late and in whatever order copies come.
 */
/** Room for numbers to come; positions count up for ever, a position's place is its remainder. */
export class SequenceWindow {
    #mask;
    #sequences;
    #firstNs;
    /** Bit n: line n has brought it. */
    #broughtBy;
    /** By line: the position after the furthest one that it brought. */
    #cursors;
    #everyLine;
    #oldest = 0;
    #end = 0;
    /** The greatest number that was forgotten. */
    #floor = -1;
    /**
     * @param size - Numbers remembered, a power of two.
     * @param lineCount - 1 to 32.
     */
    constructor(size, lineCount) {
        this.#mask = size - 1;
        this.#sequences = new Float64Array(size);
        this.#firstNs = new Float64Array(size);
        this.#broughtBy = new Uint32Array(size);
        this.#cursors = new Float64Array(lineCount);
        this.#everyLine = lineCount === 32 ? 0xffffffff : (1 << lineCount) - 1;
    }
    /** Position of a number, or −1. @param line - Who asks: it is looked for first where that line goes on. */
    find(sequence, line) {
        const sequences = this.#sequences;
        const next = this.#cursors[line];
        if (next >= this.#oldest && next < this.#end && sequences[next & this.#mask] === sequence)
            return next;
        const position = this.#search(sequence);
        return position < this.#end && sequences[position & this.#mask] === sequence ? position : -1;
    }
    /** Whether a number may have been taken and forgotten. */
    isForgotten(sequence) {
        return sequence <= this.#floor;
    }
    /**
     * Takes a number that `find` has not found and that is not forgotten. Returns the lines that had not brought the number that had to be
     * forgotten for it, as bits.
     */
    insert(sequence, line, nowNs) {
        let missing = 0;
        if (this.#end - this.#oldest > this.#mask) {
            if (sequence < this.#sequences[this.#oldest & this.#mask]) {
                // It would be the next to be forgotten: it is at once.
                this.#floor = sequence;
                return (this.#everyLine & ~(1 << line)) >>> 0;
            }
            missing = this.#forget();
        }
        const position = this.#end > this.#oldest && sequence < this.newest ? this.#search(sequence) : this.#end;
        this.#makeRoom(position);
        const at = position & this.#mask;
        this.#sequences[at] = sequence;
        this.#firstNs[at] = nowNs;
        this.#broughtBy[at] = 1 << line;
        this.#reached(position, line);
        return missing;
    }
    /** Notes that a line has brought a number that is there already. Returns false when the same line had done so before. */
    bring(position, line) {
        const at = position & this.#mask;
        const bit = 1 << line;
        this.#reached(position, line);
        if ((this.#broughtBy[at] & bit) !== 0)
            return false;
        this.#broughtBy[at] |= bit;
        return true;
    }
    /** When the first copy came, nanoseconds. */
    firstNs(position) {
        return this.#firstNs[position & this.#mask];
    }
    /** When the first message came that a line has not reached yet; Infinity when it has reached all. */
    waitingSinceNs(line) {
        const next = Math.max(this.#cursors[line], this.#oldest);
        return next < this.#end ? this.#firstNs[next & this.#mask] : Infinity;
    }
    /** The greatest number. */
    get newest() {
        return this.#sequences[(this.#end - 1) & this.#mask];
    }
    #reached(position, line) {
        if (position >= this.#cursors[line])
            this.#cursors[line] = position + 1;
    }
    /** The first position whose number is not below `sequence`. */
    #search(sequence) {
        let low = this.#oldest;
        let high = this.#end;
        while (low < high) {
            const middle = Math.floor((low + high) / 2);
            if (this.#sequences[middle & this.#mask] < sequence)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }
    #forget() {
        const at = this.#oldest & this.#mask;
        this.#floor = this.#sequences[at];
        this.#oldest++;
        return (this.#everyLine & ~this.#broughtBy[at]) >>> 0;
    }
    /** Moves what stands at a position and behind it: seldom anything, because numbers rise. */
    #makeRoom(position) {
        for (let to = this.#end; to > position; to--) {
            const at = to & this.#mask;
            const from = (to - 1) & this.#mask;
            this.#sequences[at] = this.#sequences[from];
            this.#firstNs[at] = this.#firstNs[from];
            this.#broughtBy[at] = this.#broughtBy[from];
        }
        if (position < this.#end) {
            for (let line = 0; line < this.#cursors.length; line++) {
                if (this.#cursors[line] > position)
                    this.#cursors[line]++;
            }
        }
        this.#end++;
    }
}
