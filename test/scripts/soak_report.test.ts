import { describe, expect, test } from "vitest";

interface Point {
  readonly at: number;
  value: number;
}
const script = new URL("../../scripts/soak_report.mjs", import.meta.url).href;
const { judgeDescriptors, judgeMemory, slope } = (await import(script)) as {
  judgeDescriptors(counts: number[]): { wrong: string | undefined };
  judgeMemory(points: Point[]): { isJudged: boolean; perHour: number | undefined; wrong: string | undefined };
  slope(points: Point[]): number;
};

const MIB = 1 << 20;

/** A rest each minute. */
function points(count: number, bytesAt: (index: number) => number): Point[] {
  return Array.from({ length: count }, (_, index) => ({ at: index * 60, value: bytesAt(index) }));
}

/** The same wobble in every run. */
const wobble = (index: number): number => ((index * 7_919) % 13) / 13 - 0.5;

describe("memory of a soak", () => {
  test("that only wobbles is flat", () => {
    const judged = judgeMemory(points(30, (index) => (100 + 8 * wobble(index)) * MIB));
    expect(judged.isJudged).toBe(true);
    expect(judged.wrong).toBeUndefined();
  });

  test("that warms up and then stays is flat", () => {
    expect(judgeMemory(points(30, (index) => (60 + 60 * (1 - 0.6 ** index)) * MIB)).wrong).toBeUndefined();
  });

  test("with a single spike is flat", () => {
    expect(judgeMemory(points(30, (index) => (index === 28 ? 400 : 100) * MIB)).wrong).toBeUndefined();
  });

  test("that grows by 1.5 MiB a minute is not flat, however it wobbles", () => {
    const judged = judgeMemory(points(30, (index) => (100 + 1.5 * index + 8 * wobble(index)) * MIB));
    expect(judged.wrong).toContain("memory grows");
    expect(Number(judged.perHour) / MIB).toBeCloseTo(90, -1);
  });

  test("that jumps for good in the last third is not flat", () => {
    expect(judgeMemory(points(30, (index) => (index < 20 ? 100 : 120) * MIB)).wrong).toContain(
      "memory grows",
    );
  });

  test("of a few rests is not judged", () => {
    const judged = judgeMemory(points(8, (index) => index * 100 * MIB));
    expect(judged.isJudged).toBe(false);
    expect(judged.wrong).toBeUndefined();
  });
});

test("descriptors must be as many at the last rest as at the first", () => {
  expect(judgeDescriptors([30, 34, 30]).wrong).toBeUndefined();
  expect(judgeDescriptors([30, 30, 31]).wrong).toContain("30 at the first rest, 31 at the last");
});

test("the slope of a line is found whatever a few points do", () => {
  const line = points(20, (index) => index * 60 * 5);
  line[4].value = 1e9;
  line[17].value = -1e9;
  expect(slope(line)).toBeCloseTo(5, 3);
});
