/**
 * Keeps messages of each key in their order and says when one is missing: duplicates are dropped, what comes out of order waits for a
 * while, and with snapshots the state they change is made whole again by itself. Pure: it is told the time and does no I/O.
 */

import { checkKnown, type NumberOption, readNumbers } from "../options.ts";
import { type HeldMessage, HeldMessages } from "./held_messages.ts";
import { checkSequence, keyLimitError } from "./sequence.ts";

/** Messages are missing. */
export interface SequenceGap {
  /** Of the sequence that has the gap. */
  readonly key: string;
  /** Number of the last message that was applied. */
  readonly after: number;
  /** Number up to which messages are missing. */
  readonly until: number;
  /** Why they are not waited for any longer: `deadline`: `reorderMs` are over. `full`: `maxHeldMessages` are waiting behind them. */
  readonly reason: "deadline" | "full";
  /** Since when the messages behind the gap have been waiting, monotonic nanoseconds. */
  readonly sinceNs: number;
}

/** What became of a message: `applied`, `held` until those before it or a snapshot are there, or dropped as a `duplicate`. */
export type Acceptance = "applied" | "held" | "duplicate";

/** Options of {@linkcode SequenceGuard}. */
export interface SequenceGuardOptions<Message, Snapshot> {
  /** Takes a message: the next one of its key. */
  readonly apply: (message: Message, key: string) => void;
  /** Messages are missing. Without snapshots, `apply` goes on behind the gap; with them, a snapshot is asked for. */
  readonly gap?: (gap: SequenceGap) => void;
  /**
   * Fetch a snapshot of this key and give it to `join`: at the key's first message, after a gap, and when the last snapshot was too old.
   * Goes with `restore`.
   *
   * `attempt` counts from 1 until one joins. Wait longer each time; the messages that come meanwhile are held.
   */
  readonly request?: (key: string, attempt: number) => void;
  /** Replaces the state of a key by a snapshot; `apply` brings what is newer. */
  readonly restore?: (snapshot: Snapshot, key: string) => void;
  /** A message has begun to wait: call `advance` at this time, monotonic nanoseconds. */
  readonly armed?: (dueNs: number) => void;
  /** How long messages wait for one that is missing before them, milliseconds; 0: not at all. 0 to 600,000. @default 50 */
  readonly reorderMs?: number;
  /** Messages of one key that may wait for a missing one or a snapshot. 1 to 1,048,576. @default 8,192 */
  readonly maxHeldMessages?: number;
  /** Keys at once. 1 to 1,048,576. @default 4,096 */
  readonly maxKeys?: number;
}

const NUMBERS: { readonly [Name in "reorderMs" | "maxHeldMessages" | "maxKeys"]: NumberOption } = {
  reorderMs: { default: 50, min: 0, max: 600_000 },
  maxHeldMessages: { default: 8_192, min: 1, max: 1_048_576 },
  maxKeys: { default: 4_096, min: 1, max: 1_048_576 },
};
const FUNCTIONS = ["apply", "gap", "request", "restore", "armed"] as const;
const NS_PER_MS = 1_000_000;
/** Number of a key that has had no message. */
const NONE = -1;

/** Where a key stands. */
class Continuity<Message> {
  readonly key: string;
  readonly held: HeldMessages<Message> = new HeldMessages();
  /** Number of the last message applied, or of the snapshot. */
  last = NONE;
  /** Whether messages may be applied; else a snapshot is awaited. */
  isWhole: boolean;
  /** Snapshots asked for since it was whole. */
  attempt = 0;
  /** While whole: since when messages are held behind the first gap, monotonic nanoseconds. */
  waitingSinceNs = 0;

  constructor(key: string, isWhole: boolean) {
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
export class SequenceGuard<Message, Snapshot = never> {
  /** Messages applied. */
  applied = 0;
  /** Messages dropped because they, or a snapshot that covers them, had been there. */
  duplicates = 0;
  /** Gaps told of. */
  gaps = 0;
  /** Snapshots put in place. */
  joins = 0;
  readonly #apply: (message: Message, key: string) => void;
  readonly #gap: (gap: SequenceGap) => void;
  readonly #request: ((key: string, attempt: number) => void) | undefined;
  readonly #restore: ((snapshot: Snapshot, key: string) => void) | undefined;
  readonly #armed: (dueNs: number) => void;
  readonly #reorderNs: number;
  readonly #maxHeldMessages: number;
  readonly #maxKeys: number;
  readonly #keys = new Map<string, Continuity<Message>>();
  /** Keys whose messages wait for a missing one. */
  readonly #waiting = new Set<Continuity<Message>>();

  /**
   * Makes a guard that follows no key yet.
   *
   * @param options - See {@linkcode SequenceGuardOptions}.
   * @throws TypeError, RangeError for unknown options and values out of range.
   */
  constructor(options: SequenceGuardOptions<Message, Snapshot>) {
    checkKnown("SequenceGuard", options, [...Object.keys(NUMBERS), ...FUNCTIONS]);
    const numbers = readNumbers("SequenceGuard", options, NUMBERS);
    const { apply, gap, request, restore, armed } = options;
    if (typeof apply !== "function") throw new TypeError('SequenceGuard needs the option "apply"');
    if ((request === undefined) !== (restore === undefined)) {
      throw new TypeError('Options "request" and "restore" of SequenceGuard go together');
    }
    this.#apply = apply;
    this.#gap = gap ?? ((): void => {});
    this.#request = request;
    this.#restore = restore;
    this.#armed = armed ?? ((): void => {});
    this.#reorderNs = numbers.reorderMs * NS_PER_MS;
    this.#maxHeldMessages = numbers.maxHeldMessages;
    this.#maxKeys = numbers.maxKeys;
  }

  /** Keys followed now. */
  get keyCount(): number {
    return this.#keys.size;
  }

  /** Number of the last message of a key that was applied, or of its snapshot; undefined before. */
  last(key: string): number | undefined {
    const last = this.#keys.get(key)?.last ?? NONE;
    return last === NONE ? undefined : last;
  }

  /** Whether a key's messages are applied as they come: no snapshot is awaited, nothing is missing. */
  isWhole(key: string): boolean {
    const continuity = this.#keys.get(key);
    return continuity?.isWhole === true && continuity.held.count === 0;
  }

  /**
   * Begins with a key before its first message, or begins anew: the exchange counts from the start again, or the program lost its state.
   *
   * @throws RangeError when there are `maxKeys` other keys.
   */
  follow(key: string): void {
    const known = this.#keys.get(key);
    if (known === undefined) this.#open(key);
    else this.#begin(known);
  }

  /** Forgets a key. */
  forget(key: string): void {
    const continuity = this.#keys.get(key);
    if (continuity === undefined) return;
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
   * @param previous - Number that it follows on from. Its own: a sign of life (OKX has them) that changes nothing, but shows what is missing.
   *   @default sequence − 1
   * @throws RangeError when a number is none, and when there are `maxKeys` other keys.
   */
  take(
    key: string,
    sequence: number,
    message: Message,
    nowNs: number,
    previous: number = sequence - 1,
  ): Acceptance {
    checkSequence(sequence);
    if (!Number.isSafeInteger(previous) || previous > sequence) {
      throw new RangeError(`Cannot take message number ${sequence} that follows number ${previous}`);
    }
    const continuity = this.#keys.get(key) ?? this.#open(key);
    if (continuity.isWhole) {
      if (continuity.last === NONE) continuity.last = previous;
      if (sequence <= continuity.last) return this.#drop();
      if (previous <= continuity.last) {
        this.#use(continuity, sequence, message);
        if (continuity.held.count > 0) this.#goOn(continuity, nowNs);
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
  join(key: string, sequence: number, snapshot: Snapshot, nowNs: number): "joined" | "again" | "unasked" {
    checkSequence(sequence);
    const continuity = this.#keys.get(key);
    if (continuity === undefined || continuity.isWhole) return "unasked";
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
  advance(nowNs: number): number {
    const before = this.gaps;
    for (const continuity of [...this.#waiting]) {
      // Whoever still waits afterwards says anew until when.
      this.#waiting.delete(continuity);
      this.#goOn(continuity, nowNs);
    }
    return this.gaps - before;
  }

  #open(key: string): Continuity<Message> {
    if (this.#keys.size >= this.#maxKeys) throw keyLimitError("SequenceGuard", key, this.#maxKeys);
    const continuity = new Continuity<Message>(key, this.#request === undefined);
    this.#keys.set(key, continuity);
    this.#begin(continuity);
    return continuity;
  }

  #begin(continuity: Continuity<Message>): void {
    this.#waiting.delete(continuity);
    continuity.held.clear();
    continuity.last = NONE;
    continuity.attempt = 0;
    if (this.#request !== undefined) this.#ask(continuity);
  }

  #ask(continuity: Continuity<Message>): void {
    continuity.isWhole = false;
    continuity.attempt++;
    this.#request?.(continuity.key, continuity.attempt);
  }

  #drop(): Acceptance {
    this.duplicates++;
    return "duplicate";
  }

  #use(continuity: Continuity<Message>, sequence: number, message: Message): void {
    // Before the handler: it may throw, or ask where the key stands.
    continuity.last = sequence;
    this.applied++;
    this.#apply(message, continuity.key);
  }

  #hold(continuity: Continuity<Message>, message: HeldMessage<Message>): Acceptance {
    const { held } = continuity;
    if (held.count === 0) continuity.waitingSinceNs = message.receivedNs;
    if (!held.add(message)) return this.#drop();
    if (held.count > this.#maxHeldMessages) {
      // Of those that wait for a snapshot, the oldest are the ones that it may cover.
      if (continuity.isWhole) this.#skip(continuity, "full");
      else held.removeFirst();
    }
    this.#goOn(continuity, message.receivedNs);
    return continuity.last >= message.sequence ? "applied" : "held";
  }

  /** Applies held messages that follow on, gives up what is overdue, and waits for the rest. */
  #goOn(continuity: Continuity<Message>, nowNs: number): void {
    const { held } = continuity;
    for (let { first } = held; first !== undefined && continuity.isWhole; { first } = held) {
      if (first.previous <= continuity.last) {
        held.removeFirst();
        // Behind the next gap, somebody has been waiting since then.
        continuity.waitingSinceNs = held.first?.receivedNs ?? 0;
        if (first.sequence > continuity.last) this.#use(continuity, first.sequence, first.message);
        else this.#drop();
      } else if (nowNs >= this.#dueNs(continuity)) {
        this.#skip(continuity, "deadline");
      } else {
        this.#wait(continuity);
        return;
      }
    }
    this.#waiting.delete(continuity);
  }

  #wait(continuity: Continuity<Message>): void {
    if (this.#waiting.has(continuity)) return;
    this.#waiting.add(continuity);
    this.#armed(this.#dueNs(continuity));
  }

  #dueNs(continuity: Continuity<Message>): number {
    return continuity.waitingSinceNs + this.#reorderNs;
  }

  /** Gives up what is missing before the first held message. */
  #skip(continuity: Continuity<Message>, reason: SequenceGap["reason"]): void {
    const { first } = continuity.held;
    if (first === undefined || first.previous <= continuity.last) return;
    this.gaps++;
    const { key, last: after } = continuity;
    if (this.#request === undefined) continuity.last = first.previous;
    else continuity.isWhole = false;
    try {
      this.#gap({ key, after, until: first.previous, reason, sinceNs: continuity.waitingSinceNs });
    } finally {
      if (!continuity.isWhole) this.#ask(continuity);
    }
  }
}
