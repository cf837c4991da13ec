/**
 * A/B arbitration: the same feed comes over several connections, the first copy of each message wins, the others are dropped. Pure: it
 * is told the time and does no I/O.
 */
import { checkKnown, readNumbers } from "../options.js";
import { Line } from "./line.js";
import { checkSequence, keyLimitError } from "./sequence.js";
import { SequenceWindow } from "./sequence_window.js";
const NUMBERS = {
    windowMessages: { default: 1_024, min: 16, max: 1_048_576 },
    maxKeys: { default: 4_096, min: 1, max: 1_048_576 },
    slowAfterMs: { default: 500, min: 1, max: 3_600_000 },
};
const MAX_LINES = 32;
const NS_PER_MS = 1_000_000;
/**
 * Takes the first copy of each message of a feed that comes over several lines. A message is known by its key (a symbol, a channel) and
 * its number there, which rises, in steps of any size. A feed without numbers cannot be arbitrated: nobody could tell a late copy from
 * news.
 *
 * No message is taken twice, however late a copy comes. Memory: 20 bytes for each remembered number, `windowMessages` of them for each key.
 *
 * @example
 * ```ts
 * import { Arbiter } from "ringwire/feed";
 *
 * const arbiter = new Arbiter({ lines: ["A", "B"], slow: (line) => console.log(`line ${line.name} is slow`) });
 * const [a, b] = arbiter.lines;
 * console.log(arbiter.take(a, "BTC-USD", 1, 1_000)); // "first"
 * console.log(arbiter.take(b, "BTC-USD", 1, 4_000)); // "duplicate"
 * console.log(b.lag.max); // 3000
 * ```
 */
export class Arbiter {
    /** In the order in which they were named. */
    lines;
    #windowMessages;
    #maxKeys;
    #slowAfterNs;
    #slow;
    #caughtUp;
    #windows = new Map();
    /**
     * Makes an arbiter that knows no key yet.
     *
     * @param options - See {@linkcode ArbiterOptions}.
     * @throws TypeError, RangeError for unknown options and values out of range.
     */
    constructor(options) {
        checkKnown("Arbiter", options, [...Object.keys(NUMBERS), "lines", "slow", "caughtUp"]);
        const { windowMessages, maxKeys, slowAfterMs } = readNumbers("Arbiter", options, NUMBERS);
        if ((windowMessages & (windowMessages - 1)) !== 0) {
            throw new RangeError(`Option "windowMessages" of Arbiter must be a power of two, not ${windowMessages}`);
        }
        const { lines } = options;
        if (!Array.isArray(lines) || lines.length < 1 || lines.length > MAX_LINES) {
            throw new RangeError(`Option "lines" of Arbiter must be a list of 1 to ${MAX_LINES} names`);
        }
        this.lines = lines.map((name, index) => new Line(String(name), index));
        this.#windowMessages = windowMessages;
        this.#maxKeys = maxKeys;
        this.#slowAfterNs = slowAfterMs * NS_PER_MS;
        this.#slow = options.slow ?? (() => { });
        this.#caughtUp = options.caughtUp ?? (() => { });
    }
    /** Keys known now. */
    get keyCount() {
        return this.#windows.size;
    }
    /**
     * Judges a message. Constant time in the usual case that lines bring rising numbers; nothing is allocated for a key that is known.
     *
     * @param line - Which brought it: one of `lines`.
     * @param key - Which sequence it belongs to.
     * @param sequence - Its number there, 0 to 2⁵³ − 1.
     * @param nowNs - When it was received, monotonic nanoseconds: `messages.receivedNs`.
     * @throws RangeError when the number is none, and when there are `maxKeys` other keys.
     */
    take(line, key, sequence, nowNs) {
        checkSequence(sequence);
        const window = this.#windows.get(key) ?? this.#open(key);
        const position = window.find(sequence, line.index);
        if (position >= 0) {
            line.duplicates++;
            if (window.bring(position, line.index))
                this.#measure(line, nowNs - window.firstNs(position));
            return "duplicate";
        }
        if (window.isForgotten(sequence)) {
            line.late++;
            this.#mark(line, true);
            return "late";
        }
        line.firsts++;
        const missing = window.insert(sequence, line.index, nowNs);
        if (missing !== 0)
            this.#count(missing);
        this.#measure(line, 0);
        this.#watch(line, window, nowNs);
        return "first";
    }
    /** Forgets a key: it is delisted, or the exchange begins to count anew and its first numbers would be `late`. */
    forget(key) {
        this.#windows.delete(key);
    }
    #open(key) {
        if (this.#windows.size >= this.#maxKeys)
            throw keyLimitError("Arbiter", key, this.#maxKeys);
        const window = new SequenceWindow(this.#windowMessages, this.lines.length);
        this.#windows.set(key, window);
        return window;
    }
    /** Numbers were forgotten that these lines had not brought. */
    #count(missing) {
        for (const line of this.lines)
            if ((missing & (1 << line.index)) !== 0)
                line.missed++;
    }
    #measure(line, lagNs) {
        line.lag.record(lagNs);
        this.#mark(line, lagNs > this.#slowAfterNs);
    }
    /** A line that is silent tells nothing of itself: whoever brings news looks for how long the others have been waiting for theirs. */
    #watch(line, window, nowNs) {
        for (const other of this.lines) {
            if (other === line || other.isSlow)
                continue;
            if (nowNs - window.waitingSinceNs(other.index) > this.#slowAfterNs)
                this.#mark(other, true);
        }
    }
    #mark(line, isSlow) {
        if (line.isSlow === isSlow)
            return;
        line.isSlow = isSlow;
        if (isSlow)
            this.#slow(line);
        else
            this.#caughtUp(line);
    }
}
