/**
 * Which blocks of the library an input reaches, and roughly how often: V8 counts them, and gives the counts since the
 * last question in some tenths of a millisecond. Only Node has this; elsewhere the search goes without.
 */

interface Range {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
}

interface Coverage {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly { readonly ranges: readonly Range[] }[];
  }[];
}

/** Counts as the search sees them: never, once, twice, three times, some, many (as AFL does), each a bit of its own. */
function bitOf(count: number): number {
  return count < 4 ? 1 << count : 1 << Math.min(7, 33 - Math.clz32(count));
}

/** Nothing new was reached. */
export const LEARNT_NOTHING = 0;
/** Known code ran in a class of counts in which it had not. */
export const LEARNT_COUNT = 1;
/** Code ran that never had. */
export const LEARNT_CODE = 2;

const NEVER = bitOf(0);

/**
 * Follows what was reached so far: per function and character of its source, how often it ran, as a set of bits. Ranges as
 * V8 gives them would not do: one that ran as often as what is around it is not named at all.
 */
export class CoverageMap {
  readonly #take: () => Coverage;
  readonly #covers: readonly string[];
  readonly #known: Map<string, Uint8Array>;
  /** Of the function that is being looked at. */
  #bits: Uint8Array;

  private constructor(take: () => Coverage, covers: readonly string[]) {
    this.#take = take;
    this.#covers = covers;
    this.#known = new Map();
    this.#bits = new Uint8Array(1 << 16);
  }

  /** Starts counting; undefined where the runtime cannot. Call it before the library is warm. */
  static async open(covers: readonly string[]): Promise<CoverageMap | undefined> {
    if ("Bun" in globalThis || "Deno" in globalThis) return undefined;
    const { Session } = await import("node:inspector");
    const session = new Session();
    session.connect();
    // In the same process the answer is there before `post` returns.
    const ask = (method: string, parameters: object): unknown => {
      let answer: unknown;
      session.post(method, parameters, (error, result) => {
        if (error !== null) throw error;
        answer = result;
      });
      return answer;
    };
    ask("Profiler.enable", {});
    ask("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
    return new CoverageMap(() => ask("Profiler.takePreciseCoverage", {}) as Coverage, covers);
  }

  /** Characters of the sources that were reached so far. */
  get reachedCharacters(): number {
    let sum = 0;
    for (const known of this.#known.values()) for (const bits of known) if (bits !== 0) sum++;
    return sum;
  }

  /** Whether code was reached since the last question that never was before; it stays new. */
  reachesNew(): boolean {
    let isNew = false;
    this.#eachCharacter((known, at) => {
      if (known[at] === 0) isNew = true;
    });
    return isNew;
  }

  /** What is new about the code that was reached since the last question: one of the `LEARNT_` constants. Then it is known. */
  learn(): number {
    let learnt = LEARNT_NOTHING;
    this.#eachCharacter((known, at, bit) => {
      if ((known[at] & bit) !== 0) return;
      learnt = Math.max(learnt, known[at] === 0 ? LEARNT_CODE : LEARNT_COUNT);
      known[at] |= bit;
    });
    return learnt;
  }

  #eachCharacter(visit: (known: Uint8Array, at: number, bit: number) => void): void {
    for (const { url, functions } of this.#take().result) {
      if (!this.#covers.some((part) => url.includes(part))) continue;
      for (const { ranges } of functions) {
        const { startOffset, endOffset } = ranges[0];
        const size = endOffset - startOffset;
        // The function that is the module itself runs once.
        if (startOffset === 0 || size > this.#bits.length) continue;
        // Parents come before what is nested in them.
        for (const range of ranges) {
          this.#bits.fill(bitOf(range.count), range.startOffset - startOffset, range.endOffset - startOffset);
        }
        const known = this.#knownOf(`${url}:${startOffset}`, size);
        for (let at = 0; at < size; at++) if (this.#bits[at] !== NEVER) visit(known, at, this.#bits[at]);
      }
    }
  }

  #knownOf(key: string, size: number): Uint8Array {
    const known = this.#known.get(key) ?? new Uint8Array(size);
    this.#known.set(key, known);
    return known;
  }
}
