/** Where the small messages of one read are put when they are restored: one piece of memory, used anew for every read. */
/** Messages of more bytes get their own memory, which is then given away with them. */
const LARGEST_BYTES = 16_384;
const ARENA_BYTES = 65_536;
/** With less room than this, a new arena is begun in the middle of a read; the old one lives as long as its messages are looked at. */
const LEAST_ROOM_BYTES = 4_096;
/** Memory of one codec, shared by all its inflaters. */
export class OutputArena {
    /** The arena itself. Made when first used: a loop that never inflates pays nothing. */
    bytes = new Uint8Array(0);
    /** Where the next bytes may lie. */
    used = 0;
    /** What was put here is no longer looked at. */
    rewind() {
        this.used = 0;
    }
    /** Makes room at `used`, and says how much. */
    room() {
        if (this.bytes.length - this.used < LEAST_ROOM_BYTES) {
            this.bytes = new Uint8Array(ARENA_BYTES);
            this.used = 0;
        }
        return Math.min(LARGEST_BYTES, this.bytes.length - this.used);
    }
}
