/**
 * Ratios of the bench harness.
 */
import { expect, test } from "vitest";

interface Comparison {
  ours: string;
  theirs: string;
  figure: string;
  pairs: number;
  leftOut: number;
  condition: string;
  ratio: number;
  interval?: [number, number];
  min: number;
  max: number;
}
const script = new URL("../../bench/compare.mjs", import.meta.url).href;
const { compare, saturation } = (await import(script)) as {
  compare(workload: object, participants: object[], rounds: object[][]): Comparison[];
  saturation(cpu: { loadCpuPercent: number; serverCpuPercent: number }, isPolling: boolean): string;
};

const PARTICIPANTS = [
  { name: "Bun.serve", peers: [] },
  { name: "bun uring", peers: ["Bun.serve"] },
];
const RATE = { figures: [{ key: "messagesPerSecond", better: "more" }] };
/** Of two cores, and between them. */
const SLOW = [2, 2, 90];
const FAST = [1, 1, 90];
const FAR = [1, 1, 480];

function run(name: string, messagesPerSecond: number, speeds?: number[][]): object {
  return { name, report: { messagesPerSecond }, ...(speeds && { speeds }) };
}

function round(theirs: number, ours: number): object[] {
  return [run("Bun.serve", theirs), run("bun uring", ours)];
}

test("ratios are taken within rounds, so that a machine that slows down changes nothing", () => {
  const [comparison] = compare(RATE, PARTICIPANTS, [round(100, 200), round(10, 20), round(50, 150)]);
  expect(comparison).toMatchObject({ pairs: 3, ratio: 2, min: 2, max: 3 });
});

test("the rounds of a start are one ratio, so that it does not matter how many first ones and how many second ones count", () => {
  const ofStart = (start: number, theirs: number, ours: number): object[] =>
    round(theirs, ours).map((each) => ({ ...each, start }));
  const rounds = [1, 2, 3].flatMap((start) => [ofStart(start, 100, 100), ofStart(start, 100, 400)]);
  const [comparison] = compare(RATE, PARTICIPANTS, rounds.slice(0, -1));
  expect(comparison).toMatchObject({ pairs: 5, min: 1, max: 4 });
  expect(comparison?.ratio).toBeCloseTo(2);
  expect(comparison?.interval?.map((ratio) => Math.round(ratio))).toEqual([1, 2]);
});

test("a round in which one of the two failed is left out", () => {
  const rounds = [round(100, 200), [run("Bun.serve", 1)], [run("bun uring", 1)]];
  expect(compare(RATE, PARTICIPANTS, rounds)[0]).toMatchObject({ pairs: 1, ratio: 2 });
});

test("rounds in which the machine changed its speed are left out, and counted", () => {
  const steady = [run("Bun.serve", 100, [FAST, FAST]), run("bun uring", 200, [FAST, FAST])];
  const alsoSteady = [run("Bun.serve", 50, [SLOW, SLOW]), run("bun uring", 100, [SLOW, SLOW])];
  const unsteady = [run("Bun.serve", 100, [FAST, FAST]), run("bun uring", 90, [FAST, SLOW])];
  const [comparison] = compare(RATE, PARTICIPANTS, [steady, unsteady, alsoSteady, steady]);
  expect(comparison).toMatchObject({ pairs: 3, leftOut: 1, condition: "near", ratio: 2, min: 2, max: 2 });
});

test("of the rounds with the cores together and those with the cores apart, the more frequent ones count", () => {
  const near = [run("Bun.serve", 100, [FAST, FAST]), run("bun uring", 200, [FAST, FAST])];
  const far = [run("Bun.serve", 50, [FAR, FAR]), run("bun uring", 60, [FAR, FAR])];
  const of = (...rounds: object[][]): object | undefined => compare(RATE, PARTICIPANTS, rounds)[0];
  expect(of(far, near, near, far)).toMatchObject({ pairs: 2, leftOut: 2, condition: "near", ratio: 2 });
  expect(of(far, near, near, far, far)).toMatchObject({ pairs: 3, leftOut: 2, condition: "far" });
  expect(of(far, far, far, near)).toMatchObject({ pairs: 3, leftOut: 1, condition: "far", ratio: 1.2 });
  expect(of(far)).toMatchObject({ pairs: 1, leftOut: 0, condition: "far" });
});

test("rounds in which others had the cores are left out, and counted", () => {
  const alone = { others: 0.01, speeds: [FAST, FAST] };
  const steady = [
    { ...run("Bun.serve", 100), ...alone },
    { ...run("bun uring", 200), ...alone },
  ];
  const disturbed = [steady[0] as object, { ...run("bun uring", 90), ...alone, others: 0.2 }];
  const [comparison] = compare(RATE, PARTICIPANTS, [steady, disturbed, steady]);
  expect(comparison).toMatchObject({ pairs: 2, leftOut: 1, condition: "near", ratio: 2 });
});

test("a machine that was never steady gives figures all the same", () => {
  const unsteady = [run("Bun.serve", 100, [FAST, FAST]), run("bun uring", 90, [FAST, SLOW])];
  expect(compare(RATE, PARTICIPANTS, [unsteady])[0]).toMatchObject({ pairs: 1, condition: "unsteady" });
});

test("each figure of a workload has a ratio of its own", () => {
  const figures = ["sendNs", "recvNs"].map((key) => ({ key, better: "less" }));
  const report = (sendNs: number, recvNs: number): object => ({ sendNs, recvNs });
  const rounds = [
    [
      { name: "Bun.serve", report: report(10, 20) },
      { name: "bun uring", report: report(5, 40) },
    ],
  ];
  const comparisons = compare({ figures }, PARTICIPANTS, rounds);
  expect(comparisons.map(({ figure, ratio }) => [figure, ratio])).toEqual([
    ["sendNs", 0.5],
    ["recvNs", 2],
  ]);
});

test("the saturated side is named", () => {
  expect(saturation({ loadCpuPercent: 99, serverCpuPercent: 60 }, false)).toBe("load generator");
  expect(saturation({ loadCpuPercent: 60, serverCpuPercent: 99 }, false)).toBe("server");
  expect(saturation({ loadCpuPercent: 40, serverCpuPercent: 40 }, false)).toBe("neither");
});
