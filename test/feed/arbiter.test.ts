/** The first copy wins, whatever the lines do. */
import { describe, expect, test } from "vitest";
import { Arbiter, type ArbiterOptions, type Line } from "../../src/feed/mod.ts";
import { seeded } from "../protocol/frames.ts";

const MS = 1_000_000;

function pair(options: Partial<ArbiterOptions> = {}): { arbiter: Arbiter; a: Line; b: Line; told: string[] } {
  const told: string[] = [];
  const arbiter = new Arbiter({
    lines: ["A", "B"],
    slow: ({ name }) => void told.push(`${name} slow`),
    caughtUp: ({ name }) => void told.push(`${name} caught up`),
    ...options,
  });
  const [a, b] = arbiter.lines;
  return { arbiter, a, b, told };
}

describe("Arbiter", () => {
  test("takes the first copy of each message and drops the others", () => {
    const { arbiter, a, b } = pair();
    expect(arbiter.take(a, "BTC", 1, 10)).toBe("first");
    expect(arbiter.take(b, "BTC", 1, 20)).toBe("duplicate");
    expect(arbiter.take(b, "BTC", 2, 30)).toBe("first");
    expect(arbiter.take(b, "BTC", 2, 40)).toBe("duplicate");
    expect(arbiter.take(a, "BTC", 2, 50)).toBe("duplicate");
    // Another key counts for itself.
    expect(arbiter.take(a, "ETH", 1, 60)).toBe("first");
    expect([a.firsts, a.duplicates, b.firsts, b.duplicates]).toEqual([2, 1, 1, 2]);
  });

  test("lets one line fill a hole of the other", () => {
    const { arbiter, a, b } = pair();
    for (const sequence of [1, 2, 5, 6]) expect(arbiter.take(a, "BTC", sequence, 0)).toBe("first");
    const verdicts = [1, 2, 3, 4, 5, 6].map((sequence) => arbiter.take(b, "BTC", sequence, 0));
    expect(verdicts).toEqual(["duplicate", "duplicate", "first", "first", "duplicate", "duplicate"]);
  });

  test("measures how far each line is behind the first copy", () => {
    const { arbiter, a, b } = pair();
    for (let sequence = 1; sequence <= 100; sequence++) {
      arbiter.take(a, "BTC", sequence, sequence * MS);
      arbiter.take(b, "BTC", sequence, sequence * MS + 300_000);
    }
    expect(a.lag.max).toBe(0);
    expect([b.lag.count, b.lag.min, b.lag.max]).toEqual([100, 300_000, 300_000]);
    // Its own repetition says nothing about the line's speed.
    arbiter.take(b, "BTC", 100, 1e12);
    expect(b.lag.count).toBe(100);
  });

  test("drops as late what nobody remembers, and counts what a line never brought", () => {
    const { arbiter, a, b, told } = pair({ windowMessages: 16 });
    for (let sequence = 1; sequence <= 20; sequence++) arbiter.take(a, "BTC", sequence, 0);
    expect(b.missed).toBe(4);
    expect(a.missed).toBe(0);
    expect(arbiter.take(b, "BTC", 4, 0)).toBe("late");
    expect(arbiter.take(b, "BTC", 5, 0)).toBe("duplicate");
    expect(b.late).toBe(1);
    expect(told).toEqual(["B slow", "B caught up"]);
  });

  test("tells once that a line is slow, and once that it has caught up", () => {
    const { arbiter, a, b, told } = pair({ slowAfterMs: 10 });
    for (let sequence = 1; sequence <= 5; sequence++) {
      arbiter.take(a, "BTC", sequence, sequence * MS);
      arbiter.take(b, "BTC", sequence, sequence * MS + 11 * MS);
    }
    expect(told).toEqual(["B slow"]);
    expect(b.isSlow).toBe(true);
    arbiter.take(a, "BTC", 6, 100 * MS);
    arbiter.take(b, "BTC", 6, 110 * MS);
    expect(told).toEqual(["B slow", "B caught up"]);
  });

  test("notices a line that has stopped by what the others bring", () => {
    const { arbiter, a, b, told } = pair({ slowAfterMs: 10 });
    arbiter.take(a, "BTC", 1, 0);
    arbiter.take(b, "BTC", 1, 0);
    // A quiet market makes nobody slow.
    arbiter.take(a, "BTC", 2, 1_000 * MS);
    arbiter.take(a, "BTC", 3, 1_010 * MS);
    expect(told).toEqual([]);
    arbiter.take(a, "BTC", 4, 1_011 * MS);
    expect(told).toEqual(["B slow"]);
  });

  test("begins anew with a key that it was told to forget", () => {
    const { arbiter, a } = pair({ windowMessages: 16 });
    for (let sequence = 1_000; sequence < 1_020; sequence++) arbiter.take(a, "BTC", sequence, 0);
    expect(arbiter.take(a, "BTC", 1, 0)).toBe("late");
    arbiter.forget("BTC");
    expect(arbiter.take(a, "BTC", 1, 0)).toBe("first");
  });

  test("never lets a peer's inventions grow its memory", () => {
    const { arbiter, a } = pair({ maxKeys: 2 });
    arbiter.take(a, "1", 1, 0);
    arbiter.take(a, "2", 1, 0);
    expect(() => arbiter.take(a, "3", 1, 0)).toThrow(/Cannot follow key "3".*maxKeys/);
    arbiter.forget("1");
    expect(arbiter.take(a, "3", 1, 0)).toBe("first");
    expect(arbiter.keyCount).toBe(2);
  });

  test.each([
    [{ lines: [] }, RangeError],
    [{ lines: Array.from({ length: 33 }, String) }, RangeError],
    [{ lines: ["A"], windowMessages: 1_000 }, RangeError],
    [{ lines: ["A"], windowMessages: 8 }, RangeError],
    [{ lines: ["A"], slowMs: 1 }, TypeError],
  ])("refuses the options %j", (options, kind) => {
    expect(() => new Arbiter(options as ArbiterOptions)).toThrow(kind);
  });

  test.each([NaN, -1, 1.5, 2 ** 53])("refuses the number %d", (sequence) => {
    const { arbiter, a } = pair();
    expect(() => arbiter.take(a, "BTC", sequence, 0)).toThrow(RangeError);
  });

  test("refuses a line of another arbiter", () => {
    expect(() => pair().arbiter.take(pair().a, "BTC", 1, 0)).toThrow('Line "A" belongs to another arbiter');
  });

  test("works with 32 lines", () => {
    const arbiter = new Arbiter({ lines: Array.from({ length: 32 }, String), windowMessages: 16 });
    for (let sequence = 0; sequence < 40; sequence++) {
      for (const line of arbiter.lines) {
        const isFirst = line.index === sequence % 32;
        if (line.index >= sequence % 32)
          expect(arbiter.take(line, "", sequence, 0)).toBe(isFirst ? "first" : "duplicate");
      }
    }
    // Of numbers 0 to 23, which are forgotten by now, number n came over lines n to 31.
    expect(arbiter.lines[0].missed).toBe(23);
    expect(arbiter.lines[31].missed).toBe(0);
  });

  test.each([1, 2, 3])(
    "over broken lines, everything that any line brings is taken exactly once (seed %i)",
    (seed) => {
      const random = seeded(seed);
      const { arbiter, a, b } = pair({ windowMessages: 256 });
      const lines = [
        { line: a, next: 1, isDown: false },
        { line: b, next: 1, isDown: false },
      ];
      const taken: number[] = [];
      const brought = new Set<number>();
      let published = 0;
      for (let round = 0; round < 100_000; round++) {
        if (random() < 0.5 && published - Math.min(...lines.map(({ next }) => next)) < 200) published++;
        const state = lines[Math.floor(random() * 2)];
        if (random() < 0.001) state.isDown = !state.isDown;
        if (state.isDown || random() < 0.01) {
          // Lost on this line.
          state.next = Math.min(published + 1, state.next + 1);
          continue;
        }
        if (random() < 0.02) state.next = Math.max(1, state.next - 20);
        if (state.next > published) continue;
        const sequence = state.next++;
        brought.add(sequence);
        if (arbiter.take(state.line, "BTC", sequence, round) === "first") taken.push(sequence);
      }
      expect(taken.length).toBe(new Set(taken).size);
      expect(taken.sort((x, y) => x - y)).toEqual([...brought].sort((x, y) => x - y));
      expect(taken.length).toBeGreaterThan(10_000);
    },
  );
});
