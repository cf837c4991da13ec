/**
 * What measuring twice in a row says, and when it is done again.
 */
import { expect, test } from "vitest";

interface Comparison {
  ours: string;
  theirs: string;
  figure: string;
  condition: string;
  ratio: number;
  min: number;
  max: number;
}
type Twice = [Comparison[], Comparison[]];
const script = new URL("../../bench/repetition.mjs", import.meta.url).href;
const { measureTwice, repeatability, repetitionText } = (await import(script)) as {
  measureTwice<T>(measure: () => Promise<T>, comparisonsOf: (rounds: T) => Comparison[]): Promise<[T, T]>;
  repeatability(twice: Twice): { difference: number; isComparable: boolean }[];
  repetitionText(results: object[]): string;
};

function ratio(ours: string, value: number, condition = "near"): Comparison {
  const figure = "messagesPerSecond";
  return { ours, theirs: "C limit", figure, condition, ratio: value, min: value - 0.1, max: value + 0.1 };
}

test("how far two times are apart does not depend on which was first", () => {
  for (const [first, second] of [
    [2, 2.2],
    [2.2, 2],
  ] as const) {
    const [row] = repeatability([[ratio("a", first)], [ratio("a", second)]]);
    expect(row?.difference).toBeCloseTo(0.1);
  }
});

test("ratios are compared under the same condition, and none of an unsteady machine", () => {
  const isComparable = (first: string, second: string): boolean | undefined =>
    repeatability([[ratio("a", 2, first)], [ratio("a", 2, second)]])[0]?.isComparable;
  expect(isComparable("near", "near")).toBe(true);
  expect(isComparable("far", "far")).toBe(true);
  expect(isComparable("near", "far")).toBe(false);
  expect(isComparable("unsteady", "unsteady")).toBe(false);
});

test("a ratio that only one of the two has is not compared", () => {
  expect(repeatability([[], [ratio("a", 2)]])).toEqual([]);
  expect(repeatability([[ratio("a", 2)], []])).toEqual([]);
});

/** Measures on a machine that is in one condition after the other. */
async function measuredOn(...conditions: string[]): Promise<{ count: number; kept: string[] }> {
  let count = 0;
  const measure = (): Promise<string> => Promise.resolve(conditions[count++] as string);
  const kept = await measureTwice(measure, (condition) => [ratio("a", 2, condition)]);
  return { count, kept };
}

test("a group is measured twice, and once more where the machine was not the same", async () => {
  expect(await measuredOn("near", "near")).toEqual({ count: 2, kept: ["near", "near"] });
  expect(await measuredOn("near", "far", "far")).toEqual({ count: 3, kept: ["far", "far"] });
  expect(await measuredOn("near", "far", "near")).toEqual({ count: 3, kept: ["near", "near"] });
  expect(await measuredOn("near", "far", "unsteady", "far")).toEqual({
    count: 3,
    kept: ["far", "unsteady"],
  });
});

test("how far ratios differ does not decide whether a group is measured again", async () => {
  let value = 1;
  const kept = await measureTwice(
    () => Promise.resolve(value++),
    (each) => [ratio("a", each)],
  );
  expect(kept).toEqual([1, 2]);
});

test("two times are the same where ratios are within a tenth; the others are listed with their ranges", () => {
  const first = [ratio("bun uring", 0.8), ratio("deno uring", 0.8), ratio("node uring", 0.8, "far")];
  const second = [ratio("bun uring", 0.84), ratio("deno uring", 1), ratio("node uring", 0.8)];
  const text = repetitionText([{ workload: "echo-pipe", twice: [first, second] }]);
  expect(text).toContain("1 of 2 ratios are within 10 % of each other");
  expect(text).toContain("1 more cannot be compared");
  expect(text).toMatch(
    /deno uring ÷ C limit +\| msg\/s +\| 0\.80 \(0\.70 – 0\.90\) \| 1\.00 \(0\.90 – 1\.10\) \| 25 %/,
  );
  expect(text).toMatch(/node uring .* cores apart, then cores together/);
  expect(text).not.toContain("bun uring");
});

test("why slices differ is said where it is known", () => {
  const [first, second] = [[ratio("bun uring", 0.8)], [ratio("bun uring", 1)]];
  expect(repetitionText([{ workload: "echo-1m", twice: [first, second] }])).toMatch(
    /25 % +\| most of the others take fresh memory/,
  );
  expect(repetitionText([{ workload: "echo-pipe", twice: [first, second] }])).toMatch(/25 % +\| +\|/);
});

test("a workload that has been measured once is no repetition", () => {
  expect(repetitionText([{ workload: "echo-pipe" }])).toBe("Nothing has been measured twice in a row yet.");
});
