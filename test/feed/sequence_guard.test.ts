/** Each message once and in order, gaps told of, snapshots joined. */
import { describe, expect, test } from "vitest";
import { Arbiter, SequenceGuard, type SequenceGuardOptions } from "../../src/feed/mod.ts";
import { seeded } from "../protocol/frames.ts";

const MS = 1_000_000;
const BTC = "BTC";

interface Rig {
  readonly guard: SequenceGuard<number, string>;
  readonly log: string[];
  take(sequence: number, nowMs?: number, previous?: number): string;
}

function rig(options: Partial<SequenceGuardOptions<number, string>> = {}, hasSnapshots = false): Rig {
  const log: string[] = [];
  const guard = new SequenceGuard<number, string>({
    apply: (message) => void log.push(String(message)),
    gap: ({ after, until, reason }) => void log.push(`gap (${after}, ${until}] ${reason}`),
    armed: (dueNs) => void log.push(`armed ${dueNs / MS}`),
    ...(hasSnapshots
      ? {
          request: (key, attempt) => void log.push(`request ${key} ${attempt}`),
          restore: (snapshot) => void log.push(`restore ${snapshot}`),
        }
      : {}),
    ...options,
  });
  const take = (sequence: number, nowMs = 0, previous = sequence - 1): string =>
    guard.take(BTC, sequence, sequence, nowMs * MS, previous);
  return { guard, log, take };
}

describe("SequenceGuard without snapshots", () => {
  test("applies what comes in order, from whatever number a key begins with", () => {
    const { guard, log, take } = rig();
    expect([7, 8, 9].map((sequence) => take(sequence))).toEqual(["applied", "applied", "applied"]);
    expect(log).toEqual(["7", "8", "9"]);
    expect([guard.last(BTC), guard.last("ETH"), guard.isWhole(BTC)]).toEqual([9, undefined, true]);
  });

  test("begins with number 0 too", () => {
    const { log, take } = rig();
    for (const sequence of [0, 0, 1]) take(sequence);
    expect(log).toEqual(["0", "1"]);
  });

  test("drops duplicates, also of what is held", () => {
    const { guard, log, take } = rig();
    expect([1, 1, 3, 3, 2, 3, 1].map((sequence) => take(sequence))).toEqual([
      ...["applied", "duplicate", "held", "duplicate", "applied", "duplicate", "duplicate"],
    ]);
    expect(log).toEqual(["1", "armed 50", "2", "3"]);
    expect([guard.applied, guard.duplicates]).toEqual([3, 4]);
  });

  test("puts reordered messages in order", () => {
    const { guard, log, take } = rig();
    for (const sequence of [1, 5, 3, 4, 2, 6]) take(sequence);
    expect(log).toEqual(["1", "armed 50", "2", "3", "4", "5", "6"]);
    expect([guard.gaps, guard.isWhole(BTC)]).toEqual([0, true]);
  });

  test("gives a missing message until its deadline, counted from the first that waits for it", () => {
    const { guard, log, take } = rig();
    take(1);
    take(5, 10);
    take(3, 40);
    expect(guard.isWhole(BTC)).toBe(false);
    expect(guard.advance(59 * MS)).toBe(0);
    // Two gaps: what waits for 4 has been waiting since 5 came, too.
    expect(guard.advance(60 * MS)).toBe(2);
    expect(log).toEqual([
      ...["1", "armed 60", "armed 60"],
      ...["gap (1, 2] deadline", "3", "gap (3, 4] deadline", "5"],
    ]);
    expect(guard.advance(1e15)).toBe(0);
  });

  test("notices by the next message that a deadline is over, and takes the missing one all the same", () => {
    const { log, take } = rig();
    for (const [sequence, nowMs] of [
      [1, 0],
      [3, 0],
      [5, 0],
      [2, 70],
    ])
      take(sequence, nowMs);
    expect(log).toEqual(["1", "armed 50", "2", "3", "gap (3, 4] deadline", "5"]);
  });

  test("stops waiting when too much waits", () => {
    const { log, take } = rig({ maxHeldMessages: 3 });
    expect([1, 3, 4, 5, 6].map((sequence) => take(sequence))).toEqual([
      ...["applied", "held", "held", "held", "applied"],
    ]);
    expect(log).toEqual(["1", "armed 50", "gap (1, 2] full", "3", "4", "5", "6"]);
  });

  test("does not wait at all with reorderMs 0", () => {
    const { log, take } = rig({ reorderMs: 0 });
    expect(take(1)).toBe("applied");
    expect(take(4)).toBe("applied");
    expect(take(2)).toBe("duplicate");
    expect(log).toEqual(["1", "gap (1, 3] deadline", "4"]);
  });

  test("follows numbers that jump, by the previous one that the feed names", () => {
    const { log, take } = rig();
    take(100, 0, 90);
    take(140, 0, 120);
    take(120, 0, 100);
    // Covers 131 to 150, of which some have been applied.
    expect(take(150, 0, 130)).toBe("applied");
    expect(log).toEqual(["100", "armed 50", "120", "140", "150"]);
  });

  test("takes a message that follows on from itself as a sign of life, which shows what is missing", () => {
    const { guard, log, take } = rig({ reorderMs: 10 });
    expect([take(5), take(5, 0, 5), take(8, 0, 8)]).toEqual(["applied", "duplicate", "held"]);
    // What it stands for may still come, under the same number.
    expect([take(8, 1, 5), guard.isWhole(BTC)]).toEqual(["applied", true]);
    take(9, 2, 9);
    guard.advance(12 * MS);
    expect(take(10, 13)).toBe("applied");
    expect(log).toEqual(["5", "armed 10", "8", "armed 12", "gap (8, 9] deadline", "10"]);
  });

  test("goes on with what is held after a handler has thrown", () => {
    const { guard, log, take } = rig({
      apply: (message) => {
        log.push(String(message));
        if (message === 3) throw new Error("no");
      },
    });
    take(1);
    take(3);
    take(4);
    expect(() => take(2)).toThrow("no");
    expect(guard.last(BTC)).toBe(3);
    take(5);
    expect(log).toEqual(["1", "armed 50", "2", "3", "4", "5"]);
  });

  test("begins anew when told", () => {
    const { guard, log, take } = rig();
    for (const sequence of [10, 12]) take(sequence);
    guard.follow(BTC);
    take(1);
    guard.forget(BTC);
    expect([guard.keyCount, guard.advance(1e15)]).toEqual([0, 0]);
    take(3);
    expect(log).toEqual(["10", "armed 50", "1", "3"]);
  });
});

describe("SequenceGuard with snapshots", () => {
  test("holds what comes until the snapshot is there, drops what it covers and applies the rest", () => {
    const { guard, log, take } = rig({}, true);
    expect([4, 5, 6, 7].map((sequence) => take(sequence))).toEqual(["held", "held", "held", "held"]);
    expect([guard.isWhole(BTC), guard.last(BTC)]).toEqual([false, undefined]);
    expect(guard.join(BTC, 5, "up to 5", 0)).toBe("joined");
    expect(log).toEqual(["request BTC 1", "restore up to 5", "6", "7"]);
    expect(take(8)).toBe("applied");
    expect([guard.applied, guard.duplicates, guard.joins]).toEqual([3, 2, 1]);
  });

  test("takes a delta that begins before the snapshot's number and ends after it", () => {
    const { guard, log, take } = rig({}, true);
    take(110, 0, 90);
    take(120, 0, 110);
    expect(guard.join(BTC, 100, "up to 100", 0)).toBe("joined");
    expect(log).toEqual(["request BTC 1", "restore up to 100", "110", "120"]);
  });

  test("asks again when the snapshot is older than what has been held", () => {
    const { guard, log, take } = rig({}, true);
    take(10);
    expect(guard.join(BTC, 8, "old", 0)).toBe("again");
    take(11);
    expect(guard.join(BTC, 9, "new", 0)).toBe("joined");
    expect(log).toEqual(["request BTC 1", "request BTC 2", "restore new", "10", "11"]);
  });

  test("takes a snapshot that is ahead of all that has come", () => {
    const { guard, log, take } = rig({}, true);
    take(10);
    expect(guard.join(BTC, 20, "ahead", 0)).toBe("joined");
    expect([15, 20, 21].map((sequence) => take(sequence))).toEqual(["duplicate", "duplicate", "applied"]);
    expect(log).toEqual(["request BTC 1", "restore ahead", "21"]);
  });

  test("asks for a snapshot after a gap, keeping what came behind it", () => {
    const { guard, log, take } = rig({}, true);
    take(1);
    guard.join(BTC, 0, "empty", 0);
    take(3);
    guard.advance(50 * MS);
    take(4, 60);
    expect(guard.join(BTC, 2, "up to 2", 70 * MS)).toBe("joined");
    expect(log).toEqual([
      ...["request BTC 1", "restore empty", "1", "armed 50"],
      ...["gap (1, 2] deadline", "request BTC 1", "restore up to 2", "3", "4"],
    ]);
  });

  test("asks although the handler of gaps throws", () => {
    const { guard, log, take } = rig(
      {
        gap: () => {
          throw new Error("no");
        },
      },
      true,
    );
    take(1);
    guard.join(BTC, 0, "empty", 0);
    take(3);
    expect(() => guard.advance(50 * MS)).toThrow("no");
    expect(log.at(-1)).toBe("request BTC 1");
    expect(guard.join(BTC, 3, "again", 0)).toBe("joined");
  });

  test("leaves the state alone when nobody has asked for a snapshot", () => {
    const { guard, log, take } = rig({}, true);
    expect(guard.join(BTC, 5, "early", 0)).toBe("unasked");
    take(6);
    guard.join(BTC, 5, "asked", 0);
    expect(guard.join(BTC, 3, "twice", 0)).toBe("unasked");
    expect(log).toEqual(["request BTC 1", "restore asked", "6"]);
  });

  test("still waits when the snapshot could not be put in place", () => {
    let isBroken = true;
    const { guard, take } = rig(
      {
        restore: () => {
          if (isBroken) throw new Error("bad checksum");
        },
      },
      true,
    );
    take(6);
    expect(() => guard.join(BTC, 5, "broken", 0)).toThrow("bad checksum");
    expect(guard.isWhole(BTC)).toBe(false);
    isBroken = false;
    expect(guard.join(BTC, 5, "sound", 0)).toBe("joined");
  });

  test("holds no more than it may, and forgets the oldest: a later snapshot covers them", () => {
    const { guard, log, take } = rig({ maxHeldMessages: 3 }, true);
    for (let sequence = 1; sequence <= 10; sequence++) take(sequence);
    expect(guard.join(BTC, 4, "too old", 0)).toBe("again");
    expect(guard.join(BTC, 7, "up to 7", 0)).toBe("joined");
    expect(log.slice(-4)).toEqual(["restore up to 7", "8", "9", "10"]);
  });

  test("fetches a snapshot before a key's first message when told to follow it", () => {
    const { guard, log, take } = rig({}, true);
    guard.follow(BTC);
    expect(guard.join(BTC, 9, "quiet", 0)).toBe("joined");
    expect(take(10)).toBe("applied");
    guard.follow(BTC);
    expect(log).toEqual(["request BTC 1", "restore quiet", "10", "request BTC 1"]);
  });
});

describe("SequenceGuard refuses", () => {
  const apply = (): void => {};

  test.each([
    [{}, TypeError],
    [{ apply, request: apply }, TypeError],
    [{ apply, restore: apply }, TypeError],
    [{ apply, reorderMs: -1 }, RangeError],
    [{ apply, window: 1 }, TypeError],
  ])("options that make no sense (%#)", (options, kind) => {
    expect(() => new SequenceGuard(options as never)).toThrow(kind);
  });

  test("numbers that are none, and messages that do not follow on from an earlier one", () => {
    const { take } = rig();
    for (const sequence of [NaN, -1, 1.5, 2 ** 53]) expect(() => take(sequence)).toThrow(RangeError);
    for (const previous of [6, NaN, -Infinity, 1.5]) expect(() => take(5, 0, previous)).toThrow(RangeError);
  });

  test("more keys than it may have", () => {
    const { guard } = rig({ maxKeys: 1 });
    guard.take("1", 1, 1, 0);
    expect(() => guard.take("2", 1, 1, 0)).toThrow(/maxKeys/);
  });
});

describe("Arbiter and SequenceGuard together", () => {
  test.each([1, 2, 3, 4, 5])(
    "keep a state identical to the exchange's over two broken lines (seed %i)",
    (seed) => {
      const random = seeded(seed);
      // The state is the sum of all deltas: one that is lost, doubled or applied before its snapshot shows.
      const exchange = { sequence: 0, sum: 0 };
      const deltas: number[] = [0];
      const ours = { sequence: 0, sum: 0 };
      let requestedAt = -1;
      let nowMs = 0;
      const arbiter = new Arbiter({ lines: ["A", "B"], windowMessages: 512 });
      const guard = new SequenceGuard<{ sequence: number; delta: number }, { sum: number; sequence: number }>(
        {
          reorderMs: 20,
          apply: ({ sequence, delta }) => {
            ours.sequence = sequence;
            ours.sum += delta;
          },
          request: () => {
            requestedAt = nowMs;
          },
          restore: (snapshot) => Object.assign(ours, snapshot),
        },
      );
      const states = arbiter.lines.map((line) => ({ line, next: 1, isDown: false }));
      let checks = 0;
      for (nowMs = 0; nowMs < 30_000; nowMs++) {
        const delta = Math.floor(random() * 1_000);
        deltas.push(delta);
        exchange.sequence++;
        exchange.sum += delta;
        for (const state of states) {
          if (random() < 0.002) {
            state.isDown = !state.isDown;
            // What was published while it was down never comes over this line.
            if (!state.isDown) state.next = exchange.sequence + 1;
          }
          if (random() < 0.01) state.next = Math.max(1, state.next - 5);
          if (state.isDown || random() < 0.3) continue;
          for (let burst = 0; burst < 3 && state.next <= exchange.sequence; burst++) {
            const sequence = state.next++;
            if (arbiter.take(state.line, BTC, sequence, nowMs * MS) !== "first") continue;
            guard.take(BTC, sequence, { sequence, delta: deltas[sequence] }, nowMs * MS);
          }
        }
        guard.advance(nowMs * MS);
        if (requestedAt >= 0 && nowMs >= requestedAt + 7) {
          requestedAt = -1;
          // Taken a while ago, and so at times too old.
          const upTo = Math.max(0, exchange.sequence - Math.floor(random() * 30));
          const sum = deltas.slice(0, upTo + 1).reduce((total, each) => total + each, 0);
          guard.join(BTC, upTo, { sum, sequence: upTo }, nowMs * MS);
        }
        if (guard.isWhole(BTC) && ours.sequence === exchange.sequence) {
          checks++;
          expect(ours).toEqual(exchange);
        }
      }
      expect(checks).toBeGreaterThan(1_000);
      expect(guard.joins).toBeGreaterThan(5);
      expect(guard.gaps).toBeGreaterThan(5);
    },
  );
});

describe("SequenceGuard against a model", () => {
  const LEVELS = 7;
  /** The state after a message: number n has set level n mod 7 to n. */
  const stateAt = (sequence: number): number[] =>
    Array.from({ length: LEVELS }, (_, level) => {
      const last = sequence - ((((sequence - level) % LEVELS) + LEVELS) % LEVELS);
      return Math.max(last, 0);
    });

  test.each([1, 2, 3])(
    "any order, jumping numbers, messages that overlap, snapshots old and new, handlers that throw: never a wrong state (seed %i)",
    (seed) => {
      const random = seeded(seed);
      const below = (count: number): number => Math.floor(random() * count);
      const keys = ["a", "b", "c"];
      const ours = new Map(keys.map((key) => [key, { sequence: 0, levels: stateAt(0) }]));
      const published = new Map(keys.map((key) => [key, [] as { previous: number; sequence: number }[]]));
      const asked = new Set<string>();
      const due: number[] = [];
      let nowMs = 0;
      let thrown = 0;
      const chance = (): void => {
        if (below(50) > 0) return;
        thrown++;
        throw new Error("by chance");
      };
      const guard = new SequenceGuard<{ previous: number; sequence: number }, number>({
        reorderMs: 5,
        maxHeldMessages: 16,
        apply({ previous, sequence }, key) {
          const state = ours.get(key)!;
          expect(previous).toBeLessThanOrEqual(state.sequence);
          expect(sequence).toBeGreaterThan(state.sequence);
          for (let number = previous + 1; number <= sequence; number++)
            state.levels[number % LEVELS] = number;
          state.sequence = sequence;
          expect(state.levels).toEqual(stateAt(sequence));
          chance();
        },
        gap: ({ key, after, until }) => {
          expect(after).toBe(ours.get(key)!.sequence);
          expect(until).toBeGreaterThan(after);
          chance();
        },
        request: (key) => void asked.add(key),
        restore(sequence, key) {
          chance();
          ours.set(key, { sequence, levels: stateAt(sequence) });
        },
        armed: (dueNs) => void due.push(dueNs),
      });
      const attempt = (call: () => unknown): void => {
        try {
          call();
        } catch (error) {
          if ((error as Error).message !== "by chance") throw error;
        }
      };
      for (; nowMs < 20_000; nowMs++) {
        const key = keys[below(3)];
        const list = published.get(key)!;
        const previous = list.at(-1)?.sequence ?? 0;
        list.push({ previous, sequence: previous + 1 + below(3) });
        for (let count = below(4); count > 0; count--) {
          // Mostly the newest, now and then one from long ago, or two of them as one.
          const at = Math.max(0, list.length - 1 - below(below(20) === 0 ? 60 : 4));
          const from = Math.max(0, at - below(2));
          const message = { previous: list[from].previous, sequence: list[at].sequence };
          attempt(() => guard.take(key, message.sequence, message, nowMs * MS, message.previous));
        }
        // A program calls when it was asked to, or a little later.
        if (due.some((dueNs) => dueNs <= (nowMs - below(3)) * MS)) {
          due.length = 0;
          attempt(() => guard.advance(nowMs * MS));
        }
        const wanted = [...asked][below(5)];
        if (wanted === undefined) continue;
        asked.delete(wanted);
        const all = published.get(wanted)!;
        const snapshot = all[Math.max(0, all.length - 1 - below(40))].sequence;
        attempt(() => guard.join(wanted, snapshot, snapshot, nowMs * MS));
        // A snapshot that could not be put in place is fetched again; one too many does no harm.
        if (!guard.isWhole(wanted)) asked.add(wanted);
        if (guard.isWhole(wanted)) expect(guard.last(wanted)).toBe(ours.get(wanted)!.sequence);
      }
      expect(guard.joins).toBeGreaterThan(50);
      expect(guard.gaps).toBeGreaterThan(50);
      expect(guard.applied).toBeGreaterThan(3_000);
      expect(thrown).toBeGreaterThan(20);
    },
  );

  test.each([1, 2])(
    "without snapshots, what is applied and the gaps told of cover all numbers, each once (seed %i)",
    (seed) => {
      const random = seeded(seed);
      const below = (count: number): number => Math.floor(random() * count);
      const covered: number[] = [];
      let dueNs = Infinity;
      const guard = new SequenceGuard<number>({
        reorderMs: 3,
        maxHeldMessages: 8,
        apply: (number) => void covered.push(number),
        gap({ after, until, sinceNs, reason }) {
          if (reason === "deadline") expect(sinceNs + 3 * MS).toBeLessThanOrEqual(nowMs * MS);
          for (let number = after + 1; number <= until; number++) covered.push(number);
        },
        armed: (at) => {
          dueNs = at;
        },
      });
      guard.take("k", 0, 0, 0);
      let nowMs = 0;
      for (let newest = 0; nowMs < 20_000; nowMs++) {
        newest += below(3);
        guard.take("k", newest, newest, nowMs * MS);
        const old = Math.max(0, newest - below(12));
        guard.take("k", old, old, nowMs * MS);
        if (dueNs <= nowMs * MS) {
          dueNs = Infinity;
          guard.advance(nowMs * MS);
          // Whoever still waits has said until when.
          expect(guard.isWhole("k") || dueNs > nowMs * MS).toBe(true);
        }
      }
      expect(covered).toEqual(covered.map((_, index) => index));
      expect(covered.length).toBeGreaterThan(10_000);
      expect(guard.gaps).toBeGreaterThan(100);
    },
  );
});
