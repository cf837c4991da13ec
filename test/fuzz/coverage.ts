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

/** Counts as the search sees them: once, twice, three times, some, many (as AFL does). */
function bucket(count: number): number {
  return count < 4 ? count : 34 - Math.clz32(count);
}

/** Follows what was reached so far. */
export class CoverageMap {
  readonly #take: () => Coverage;
  readonly #covers: readonly string[];
  readonly #known: Set<string>;

  private constructor(take: () => Coverage, covers: readonly string[]) {
    this.#take = take;
    this.#covers = covers;
    this.#known = new Set();
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

  /** Features seen so far: a block together with how often it ran, in classes. */
  get size(): number {
    return this.#known.size;
  }

  /** Whether blocks were reached since the last question that never were before; they stay new. */
  reachesNew(): boolean {
    let isNew = false;
    this.#eachBlock((block) => {
      if (!this.#known.has(block)) isNew = true;
    });
    return isNew;
  }

  /** How many features are new since the last question; from now on they are known. */
  learn(): number {
    const before = this.#known.size;
    this.#eachBlock((block, count) => {
      this.#known.add(block);
      this.#known.add(`${block}:${bucket(count)}`);
    });
    return this.#known.size - before;
  }

  #eachBlock(visit: (block: string, count: number) => void): void {
    for (const { url, functions } of this.#take().result) {
      if (!this.#covers.some((part) => url.includes(part))) continue;
      for (const { ranges } of functions) {
        for (const { startOffset, endOffset, count } of ranges) {
          if (count > 0) visit(`${url}:${startOffset}:${endOffset}`, count);
        }
      }
    }
  }
}
