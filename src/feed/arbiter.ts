/**
 * A/B arbitration: the same feed comes over several connections, the first copy of each message wins, the others are dropped. Pure: it
 * is told the time and does no I/O.
 */

import { checkKnown, type NumberOption, readNumbers } from "../options.ts";
import { Line } from "./line.ts";
import { checkSequence, keyLimitError } from "./sequence.ts";
import { SequenceWindow } from "./sequence_window.ts";

/**
 * What became of a message: `first`: use it. `duplicate`: it had come before. `late`: so old that nobody can tell any more, dropped.
 */
export type Verdict = "first" | "duplicate" | "late";

/** Options of {@linkcode Arbiter}. */
export interface ArbiterOptions {
  /** Names of the lines, 1 to 32. */
  readonly lines: readonly string[];
  /** Numbers remembered for each key; a line that is further behind brings only `late`. A power of two, 16 to 1,048,576. @default 1,024 */
  readonly windowMessages?: number;
  /** Keys at once. 1 to 1,048,576. @default 4,096 */
  readonly maxKeys?: number;
  /** How far a line may be behind the first copy before it counts as slow, milliseconds. 1 to 3,600,000. @default 500 */
  readonly slowAfterMs?: number;
  /** A line is behind by more than `slowAfterMs`, or has stopped while others go on. Once, until it has caught up. */
  readonly slow?: (line: Line) => void;
  /** A line that was slow no longer is. */
  readonly caughtUp?: (line: Line) => void;
}

const NUMBERS: { readonly [Name in "windowMessages" | "maxKeys" | "slowAfterMs"]: NumberOption } = {
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
  readonly lines: readonly Line[];
  readonly #windowMessages: number;
  readonly #maxKeys: number;
  readonly #slowAfterNs: number;
  readonly #slow: (line: Line) => void;
  readonly #caughtUp: (line: Line) => void;
  readonly #windows = new Map<string, SequenceWindow>();

  /**
   * Makes an arbiter that knows no key yet.
   *
   * @param options - See {@linkcode ArbiterOptions}.
   * @throws TypeError, RangeError for unknown options and values out of range.
   */
  constructor(options: ArbiterOptions) {
    checkKnown("Arbiter", options, [...Object.keys(NUMBERS), "lines", "slow", "caughtUp"]);
    const { windowMessages, maxKeys, slowAfterMs } = readNumbers("Arbiter", options, NUMBERS);
    if ((windowMessages & (windowMessages - 1)) !== 0) {
      throw new RangeError(
        `Option "windowMessages" of Arbiter must be a power of two, not ${windowMessages}`,
      );
    }
    const { lines } = options;
    if (!Array.isArray(lines) || lines.length < 1 || lines.length > MAX_LINES) {
      throw new RangeError(`Option "lines" of Arbiter must be a list of 1 to ${MAX_LINES} names`);
    }
    this.lines = lines.map((name, index) => new Line(String(name), index));
    this.#windowMessages = windowMessages;
    this.#maxKeys = maxKeys;
    this.#slowAfterNs = slowAfterMs * NS_PER_MS;
    this.#slow = options.slow ?? ((): void => {});
    this.#caughtUp = options.caughtUp ?? ((): void => {});
  }

  /** Keys known now. */
  get keyCount(): number {
    return this.#windows.size;
  }

  /**
   * Judges a message. Constant time in the usual case that lines bring rising numbers; nothing is allocated for a key that is known.
   *
   * @param line - Which brought it: one of `lines`.
   * @param key - Which sequence it belongs to.
   * @param sequence - Its number there, 0 to 2⁵³ − 1.
   * @param nowNs - When it was received, monotonic nanoseconds: `messages.receivedNs`.
   * @throws RangeError when the number is none, and when there are `maxKeys` other keys; TypeError for a line of another arbiter.
   */
  take(line: Line, key: string, sequence: number, nowNs: number): Verdict {
    checkSequence(sequence);
    if (this.lines[line.index] !== line)
      throw new TypeError(`Line "${line.name}" belongs to another arbiter`);
    const window = this.#windows.get(key) ?? this.#open(key);
    const position = window.find(sequence, line.index);
    if (position >= 0) {
      line.duplicates++;
      if (window.bring(position, line.index)) this.#measure(line, nowNs - window.firstNs(position));
      return "duplicate";
    }
    if (window.isForgotten(sequence)) {
      line.late++;
      this.#mark(line, true);
      return "late";
    }
    line.firsts++;
    const missing = window.insert(sequence, line.index, nowNs);
    if (missing !== 0) this.#count(missing);
    this.#measure(line, 0);
    this.#watch(line, window, nowNs);
    return "first";
  }

  /** Forgets a key: it is delisted, or the exchange begins to count anew and its first numbers would be `late`. */
  forget(key: string): void {
    this.#windows.delete(key);
  }

  #open(key: string): SequenceWindow {
    if (this.#windows.size >= this.#maxKeys) throw keyLimitError("Arbiter", key, this.#maxKeys);
    const window = new SequenceWindow(this.#windowMessages, this.lines.length);
    this.#windows.set(key, window);
    return window;
  }

  /** Numbers were forgotten that these lines had not brought. */
  #count(missing: number): void {
    for (const line of this.lines) if ((missing & (1 << line.index)) !== 0) line.missed++;
  }

  #measure(line: Line, lagNs: number): void {
    line.lag.record(lagNs);
    this.#mark(line, lagNs > this.#slowAfterNs);
  }

  /** A line that is silent tells nothing of itself: whoever brings news looks for how long the others have been waiting for theirs. */
  #watch(line: Line, window: SequenceWindow, nowNs: number): void {
    for (const other of this.lines) {
      if (other === line || other.isSlow) continue;
      if (nowNs - window.waitingSinceNs(other.index) > this.#slowAfterNs) this.#mark(other, true);
    }
  }

  #mark(line: Line, isSlow: boolean): void {
    if (line.isSlow === isSlow) return;
    line.isSlow = isSlow;
    if (isSlow) this.#slow(line);
    else this.#caughtUp(line);
  }
}
