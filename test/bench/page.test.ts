/**
 * What bench/RESULTS.md says about two runs of the same harness, and about targets without an explanation.
 */
import { expect, test } from "vitest";

const script = new URL("../../bench/page.mjs", import.meta.url).href;
const { repeatedText, unexplained } = (await import(script)) as {
  repeatedText(results: object[]): string;
  unexplained(result: object): string[];
};

function ratio(ours: string, value: number, condition = "near"): object {
  const figure = "messagesPerSecond";
  return { ours, theirs: "C limit", figure, condition, ratio: value, min: value - 0.1, max: value + 0.1 };
}

function twice(before: object[], after: object[]): object {
  return {
    workload: "echo-pipe",
    machine: { date: "2026-11-21 19:30", commit: "abc" },
    comparisons: after,
    before: { date: "2026-11-21 19:00", commit: "abc", comparisons: before },
  };
}

test("two runs are the same where ratios are within a tenth; the others are listed with their ranges", () => {
  const before = [ratio("bun uring", 0.8), ratio("deno uring", 0.8), ratio("node uring", 0.8, "far")];
  const after = [ratio("bun uring", 0.84), ratio("deno uring", 1), ratio("node uring", 0.8)];
  const text = repeatedText([twice(before, after)]);
  expect(text).toContain(
    "Measured at 2026-11-21 19:00 UTC and again at 2026-11-21 19:30 (commit abc): 1 of 2 ratios are within 10 %. One more is not compared",
  );
  expect(text).toMatch(
    /deno uring ÷ C limit +\| msg\/s +\| 0\.80 \(0\.70 – 0\.90\) \| 1\.00 \(0\.90 – 1\.10\) \| 25 %/,
  );
  expect(text).not.toContain("bun uring");
});

test("a workload that has been measured once is no repetition", () => {
  const { before: _, ...once } = twice([], [ratio("bun uring", 0.8)]) as { before: object };
  expect(repeatedText([once])).toBe("There are no two results of any workload yet.");
});

test("a missed target without an explanation is named", () => {
  const result = {
    workload: "echo-16k",
    comparisons: [{ ...ratio("node uring", 1), theirs: "Bun.serve" }],
    rounds: [],
  };
  expect(unexplained(result)).toEqual([]);
  const missed = { ...ratio("bun uring", 2), theirs: "Bun.serve" };
  expect(unexplained({ ...result, comparisons: [missed] })).toEqual([
    "echo-16k: bun uring ÷ Bun.serve ≥ 2.5: missed by 20 %",
  ]);
  expect(unexplained({ workload: "ffi", outputs: {} })).toEqual([]);
});
