/**
 * Ratios and verdicts of the bench harness.
 */
import { expect, test } from "vitest";

interface Comparison {
  ours: string;
  theirs: string;
  pairs: number;
  ratio: number;
  min: number;
  max: number;
  verdict?: string;
}
const script = new URL("../../bench/compare.mjs", import.meta.url).href;
const { compare, median, saturation } = (await import(script)) as {
  compare(workload: object, participants: object[], rounds: object[][]): Comparison[];
  median(values: number[]): number;
  saturation(cpu: { loadCpuPercent: number; serverCpuPercent: number }, isPolling: boolean): string;
};

const PARTICIPANTS = [
  { name: "Bun.serve", peers: [] },
  { name: "bun uring", peers: ["Bun.serve"] },
];
const RATE = { figure: "messagesPerSecond", better: "more", targets: {} };

function run(name: string, messagesPerSecond: number): object {
  return { name, report: { messagesPerSecond } };
}

function round(theirs: number, ours: number): object[] {
  return [run("Bun.serve", theirs), run("bun uring", ours)];
}

test("the median of odd and even counts is the middle, and sorts numbers as numbers", () => {
  expect(median([100, 9, 20])).toBe(20);
  expect(median([1, 2, 3, 10])).toBe(2.5);
});

test("ratios are taken within rounds, so that a machine that slows down changes nothing", () => {
  const [comparison] = compare(RATE, PARTICIPANTS, [round(100, 200), round(10, 20), round(50, 150)]);
  expect(comparison).toMatchObject({ pairs: 3, ratio: 2, min: 2, max: 3 });
});

test("a round in which one of the two failed is left out", () => {
  const rounds = [round(100, 200), [run("Bun.serve", 1)], [run("bun uring", 1)]];
  expect(compare(RATE, PARTICIPANTS, rounds)[0]).toMatchObject({ pairs: 1, ratio: 2 });
});

test("a peer that ran more than once is compared where it was nearest", () => {
  const runs = [
    run("Bun.serve", 1),
    run("x", 0),
    run("bun uring", 30),
    run("Bun.serve", 10),
    run("Bun.serve", 5),
  ];
  expect(compare(RATE, PARTICIPANTS, [runs])[0]).toMatchObject({ pairs: 1, ratio: 3 });
});

test("a target is judged in the direction of its figure", () => {
  const more = { ...RATE, targets: { "bun uring/Bun.serve": { final: 3, now: 1.5 } } };
  expect(compare(more, PARTICIPANTS, [round(100, 200)])[0]?.verdict).toBe("reached for now");
  const less = { ...RATE, better: "less", targets: { "bun uring/Bun.serve": { final: 0.5 } } };
  expect(compare(less, PARTICIPANTS, [round(100, 200)])[0]?.verdict).toBe("missed");
  expect(compare(less, PARTICIPANTS, [round(100, 40)])[0]?.verdict).toBe("reached");
});

test("the saturated side is named", () => {
  expect(saturation({ loadCpuPercent: 99, serverCpuPercent: 60 }, false)).toBe("load generator");
  expect(saturation({ loadCpuPercent: 60, serverCpuPercent: 99 }, false)).toBe("server");
  expect(saturation({ loadCpuPercent: 40, serverCpuPercent: 40 }, false)).toBe("neither");
});
