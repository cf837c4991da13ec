/**
 * Keeps messages of each key in their order and says when one is missing: duplicates are dropped, what comes out of order waits for a
 * while, and with snapshots the state they change is made whole again by itself. Pure: it is told the time and does no I/O.
 */
import { checkKnown, readNumbers } from "../options.js";
import { HeldMessages } from "./held_messages.js";
import { checkSequence, keyLimitError } from "./sequence.js";
const NUMBERS = {
    reorderMs: { default: 50, min: 0, max: 600_000 },
    maxHeldMessages: { default: 8_192, min: 1, max: 1_048_576 },
    maxKeys: { default: 4_096, min: 1, max: 1_048_576 },
};
const FUNCTIONS = ["apply", "gap", "request", "restore", "armed"];
const NS_PER_MS = 1_000_000;
/** Number of a key that has had no message. */
const NONE = -1;
/** Where a key stands. */
class Continuity {
    key;
    held = new HeldMessages();
    /** Number of the last message applied, or of the snapshot. */
    last = NONE;
    /** Whether messages may be applied; else a snapshot is awaited. */
    isWhole;
    /** Snapshots asked for since it was whole. */
    attempt = 0;
    /** While whole: since when messages are held behind the first gap, monotonic nanoseconds. */
    waitingSinceNs = 0;
    constructor(key, isWhole) {
        this.key = key;
        this.isWhole = isWhole;
    }
}
/**
 * Gives each key's messages to `apply` one after the other, in order, each once.
 *
 * A message follows on from another: the one with the number before its own, or, where numbers jump, the one that the feed names (`pu` at
 * Binance, `prevSeqId` at OKX). One that covers several numbers may begin before the last one applied: that is how deltas meet snapshots.
 *
 * With `request` and `restore`, a key begins with a snapshot. Messages are held while it is fetched; those it covers are dropped, the rest
 * applied. When the first of the rest does not follow on from it, the snapshot was too old, and another is asked for.
 *
 * @example
 * ```ts
 * import { SequenceGuard } from "ringwire/feed";
 *
 * const guard = new SequenceGuard<string>({
 *   apply: (message) => console.log(message),
 *   gap: (gap) => console.log(`${gap.until - gap.after} missing`),
 * });
 * guard.take("BTC-USD", 1, "one", 0); // applied
 * guard.take("BTC-USD", 3, "three", 1_000); // held
 * guard.take("BTC-USD", 2, "two", 2_000); // applied, and three after it
 * guard.take("BTC-USD", 5, "five", 3_000); // held
 * guard.advance(60_000_000); // 1 missing, then five
 * ```
 */
export class SequenceGuard {
    /** Messages applied. */
    applied = 0;
    /** Messages dropped because they, or a snapshot that covers them, had been there. */
    duplicates = 0;
    /** Gaps told of. */
    gaps = 0;
    /** Snapshots put in place. */
    joins = 0;
    #apply;
    #gap;
    #request;
    #restore;
    #armed;
    #reorderNs;
    #maxHeldMessages;
    #maxKeys;
    #keys = new Map();
    /** Keys whose messages wait for a missing one. */
    #waiting = new Set();
    /**
     * Makes a guard that follows no key yet.
     *
     * @param options - See {@linkcode SequenceGuardOptions}.
     * @throws TypeError, RangeError for unknown options and values out of range.
     */
    constructor(options) {
        checkKnown("SequenceGuard", options, [...Object.keys(NUMBERS), ...FUNCTIONS]);
        const numbers = readNumbers("SequenceGuard", options, NUMBERS);
        const { apply, gap, request, restore, armed } = options;
        if (typeof apply !== "function")
            throw new TypeError('SequenceGuard needs the option "apply"');
        if ((request === undefined) !== (restore === undefined)) {
            throw new TypeError('Options "request" and "restore" of SequenceGuard go together');
        }
        this.#apply = apply;
        this.#gap = gap ?? (() => { });
        this.#request = request;
        this.#restore = restore;
        this.#armed = armed ?? (() => { });
        this.#reorderNs = numbers.reorderMs * NS_PER_MS;
        this.#maxHeldMessages = numbers.maxHeldMessages;
        this.#maxKeys = numbers.maxKeys;
    }
    /** Keys followed now. */
    get keyCount() {
        return this.#keys.size;
    }
    /** Number of the last message of a key that was applied, or of its snapshot; undefined before. */
    last(key) {
        const last = this.#keys.get(key)?.last ?? NONE;
        return last === NONE ? undefined : last;
    }
    /** Whether a key's messages are applied as they come: no snapshot is awaited, nothing is missing. */
    isWhole(key) {
        const continuity = this.#keys.get(key);
        return continuity?.isWhole === true && continuity.held.count === 0;
    }
    /**
     * Begins with a key before its first message, or begins anew: the exchange counts from the start again, or the program lost its state.
     *
     * @throws RangeError when there are `maxKeys` other keys.
     */
    follow(key) {
        const known = this.#keys.get(key);
        if (known === undefined)
            this.#open(key);
        else
            this.#begin(known);
    }
    /** Forgets a key. */
    forget(key) {
        const continuity = this.#keys.get(key);
        if (continuity === undefined)
            return;
        this.#waiting.delete(continuity);
        continuity.held.clear();
        this.#keys.delete(key);
    }
    /**
     * Takes a message. Constant time, and nothing allocated, for one that comes in order.
     *
     * @param key - Which sequence it belongs to.
     * @param sequence - Its number there, or the last of those it covers: 0 to 2⁵³ − 1.
     * @param message - What `apply` gets.
     * @param nowNs - When it was received, monotonic nanoseconds: `messages.receivedNs`.
     * @param previous - Number that it follows on from. @default sequence − 1
     * @throws RangeError when a number is none, and when there are `maxKeys` other keys.
     */
    take(key, sequence, message, nowNs, previous = sequence - 1) {
        checkSequence(sequence);
        if (!(previous < sequence)) {
            throw new RangeError(`Cannot take message number ${sequence} that follows number ${previous}`);
        }
        const continuity = this.#keys.get(key) ?? this.#open(key);
        if (continuity.isWhole) {
            if (continuity.last === NONE)
                continuity.last = previous;
            if (sequence <= continuity.last)
                return this.#drop();
            if (previous <= continuity.last) {
                this.#use(continuity, sequence, message);
                if (continuity.held.count > 0)
                    this.#goOn(continuity, nowNs);
                return "applied";
            }
        }
        return this.#hold(continuity, { previous, sequence, message, receivedNs: nowNs });
    }
    /**
     * Puts a snapshot in place that `request` asked for. Returns `again` when it was too old (another has been asked for), and `unasked` when
     * none is awaited: it was not needed, and the program's state stays as it is.
     *
     * @param key - As `request` gave it.
     * @param sequence - Number of the last message that the snapshot contains.
     * @param snapshot - What `restore` gets.
     * @param nowNs - Now, monotonic nanoseconds.
     */
    join(key, sequence, snapshot, nowNs) {
        checkSequence(sequence);
        const continuity = this.#keys.get(key);
        if (continuity === undefined || continuity.isWhole)
            return "unasked";
        const { held } = continuity;
        const before = held.count;
        held.dropUntil(sequence);
        this.duplicates += before - held.count;
        if (held.first !== undefined && held.first.previous > sequence) {
            this.#ask(continuity);
            return "again";
        }
        // First: a snapshot that the program cannot take has not joined.
        this.#restore?.(snapshot, key);
        continuity.isWhole = true;
        continuity.attempt = 0;
        continuity.last = sequence;
        this.joins++;
        this.#goOn(continuity, nowNs);
        return "joined";
    }
    /** Gives up waiting for missing messages whose time is over. Returns how many gaps that were. */
    advance(nowNs) {
        const before = this.gaps;
        for (const continuity of [...this.#waiting]) {
            // Whoever still waits afterwards says anew until when.
            this.#waiting.delete(continuity);
            this.#goOn(continuity, nowNs);
        }
        return this.gaps - before;
    }
    #open(key) {
        if (this.#keys.size >= this.#maxKeys)
            throw keyLimitError("SequenceGuard", key, this.#maxKeys);
        const continuity = new Continuity(key, this.#request === undefined);
        this.#keys.set(key, continuity);
        this.#begin(continuity);
        return continuity;
    }
    #begin(continuity) {
        this.#waiting.delete(continuity);
        continuity.held.clear();
        continuity.last = NONE;
        continuity.attempt = 0;
        if (this.#request !== undefined)
            this.#ask(continuity);
    }
    #ask(continuity) {
        continuity.isWhole = false;
        continuity.attempt++;
        this.#request?.(continuity.key, continuity.attempt);
    }
    #drop() {
        this.duplicates++;
        return "duplicate";
    }
    #use(continuity, sequence, message) {
        // Before the handler: it may throw, or ask where the key stands.
        continuity.last = sequence;
        this.applied++;
        this.#apply(message, continuity.key);
    }
    #hold(continuity, message) {
        const { held } = continuity;
        if (held.count === 0)
            continuity.waitingSinceNs = message.receivedNs;
        if (!held.add(message))
            return this.#drop();
        if (held.count > this.#maxHeldMessages) {
            // Of those that wait for a snapshot, the oldest are the ones that it may cover.
            if (continuity.isWhole)
                this.#skip(continuity, "full");
            else
                held.removeFirst();
        }
        this.#goOn(continuity, message.receivedNs);
        return continuity.last >= message.sequence ? "applied" : "held";
    }
    /** Applies held messages that follow on, gives up what is overdue, and waits for the rest. */
    #goOn(continuity, nowNs) {
        const { held } = continuity;
        for (let { first } = held; first !== undefined && continuity.isWhole; { first } = held) {
            if (first.previous <= continuity.last) {
                held.removeFirst();
                // Behind the next gap, somebody has been waiting since then.
                continuity.waitingSinceNs = held.first?.receivedNs ?? 0;
                if (first.sequence > continuity.last)
                    this.#use(continuity, first.sequence, first.message);
                else
                    this.#drop();
            }
            else if (nowNs >= this.#dueNs(continuity)) {
                this.#skip(continuity, "deadline");
            }
            else {
                this.#wait(continuity);
                return;
            }
        }
        this.#waiting.delete(continuity);
    }
    #wait(continuity) {
        if (this.#waiting.has(continuity))
            return;
        this.#waiting.add(continuity);
        this.#armed(this.#dueNs(continuity));
    }
    #dueNs(continuity) {
        return continuity.waitingSinceNs + this.#reorderNs;
    }
    /** Gives up what is missing before the first held message. */
    #skip(continuity, reason) {
        const { first } = continuity.held;
        if (first === undefined || first.previous <= continuity.last)
            return;
        this.gaps++;
        const { key, last: after } = continuity;
        if (this.#request === undefined)
            continuity.last = first.previous;
        else
            continuity.isWhole = false;
        try {
            this.#gap({ key, after, until: first.previous, reason, sinceNs: continuity.waitingSinceNs });
        }
        finally {
            if (!continuity.isWhole)
                this.#ask(continuity);
        }
    }
}
