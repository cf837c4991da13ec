/**
 * Targets of the bench harness: how they are judged, and that whatever is missed has been explained.
 */
import { expect, test } from "vitest";

interface Verdict {
  what: string;
  figure: string;
  value: number;
  target: number;
  missedBy: number;
  explanation?: object;
}
interface Result {
  workload: string;
  comparisons?: object[];
}
interface Workload {
  figures: { key: string }[];
  targets: Record<string, number>;
  limit?: object;
}
interface Explanation {
  workloads: string[];
  target: string;
  figures?: string[];
  limit: string;
  tried: string;
}
const folder = new URL("../../bench/", import.meta.url);
const load = (name: string): Promise<unknown> => import(new URL(name, folder).href);
const { targetOf, targetText, verdicts } = (await load("targets.mjs")) as {
  targetOf(workload: object, ours: string, theirs: string): { key: string; target: number } | undefined;
  targetText(verdict: object): string;
  verdicts(workload: object, result: object): Verdict[];
};
const { readResults } = (await load("results.mjs")) as {
  readResults(folder: string): Record<string, Result>;
};
const { WORKLOADS } = (await load("workloads.mjs")) as { WORKLOADS: Record<string, Workload> };
const { EXPLANATIONS } = (await load("explanations.mjs")) as { EXPLANATIONS: Explanation[] };

const RATE = {
  figures: [{ key: "messagesPerSecond", better: "more" }],
  targets: { "bun uring/Bun.serve": 3 },
};

function resultWith(ratio: number): object {
  const comparison = { ours: "bun uring", theirs: "Bun.serve", figure: "messagesPerSecond", ratio };
  return { workload: "of this test", comparisons: [comparison], rounds: [] };
}

test("a target is judged in the direction of its figure", () => {
  expect(verdicts(RATE, resultWith(3))).toMatchObject([{ target: 3, missedBy: 0 }]);
  expect(verdicts(RATE, resultWith(2.4))[0]?.missedBy).toBeCloseTo(0.2);
  const less = { ...RATE, figures: [{ key: "messagesPerSecond", better: "less" }] };
  expect(verdicts(less, resultWith(3))).toMatchObject([{ missedBy: 0 }]);
  expect(verdicts(less, resultWith(4.5))[0]?.missedBy).toBeCloseTo(0.5);
});

test("a figure that has a target itself is judged for each participant that it concerns", () => {
  const idle = {
    figures: [{ key: "bytesPerConnection", better: "less" }],
    targets: {},
    limit: { names: " uring", most: 1_500 },
  };
  const run = (name: string, bytesPerConnection: number): object => ({
    name,
    report: { bytesPerConnection },
  });
  const rounds = [[run("bun uring", 1_400), run("node uring", 3_000), run("ws", 9_000)]];
  const comparisons = [{ ours: "node uring", theirs: "ws", figure: "bytesPerConnection", ratio: 0.33 }];
  expect(verdicts(idle, { workload: "of this test", comparisons, rounds })).toMatchObject([
    { what: "bun uring", value: 1_400, missedBy: 0 },
    { what: "node uring", value: 3_000, missedBy: 1 },
  ]);
});

test("a star stands for every runtime over io_uring, and alone for everybody", () => {
  const workload = { targets: { "*/ws": 8, "bun native/Bun.serve": 0.9 } };
  expect(targetOf(workload, "node uring", "ws")).toEqual({ key: "*/ws", target: 8 });
  expect(targetOf(workload, "node native", "ws")).toBeUndefined();
  expect(targetOf(workload, "bun native", "Bun.serve")?.target).toBe(0.9);
  expect(targetOf({ targets: { "*": 0.95 } }, "node native, recording", "node native")?.target).toBe(0.95);
});

test("a miss says by how much, a small one in tenths", () => {
  const verdict = { target: 1_500, better: "less", missedBy: 0.004 };
  expect(targetText(verdict)).toBe("≤ 1,500: missed by 0.4 %");
  expect(targetText({ ...verdict, missedBy: 0.246 })).toBe("≤ 1,500: missed by 25 %");
  expect(targetText({ ...verdict, better: "more", missedBy: 0 })).toBe("≥ 1,500: reached");
});

test("what limits us and what was tried is written down for every target that the kept results miss", () => {
  const missed = Object.values(readResults(new URL("results", folder).pathname))
    .filter(({ workload, comparisons }) => comparisons !== undefined && WORKLOADS[workload] !== undefined)
    .flatMap((result) => verdicts(WORKLOADS[result.workload] as Workload, result))
    .filter(({ missedBy }) => missedBy > 0);
  expect(missed.length).toBeGreaterThan(0);
  expect(missed.filter(({ explanation }) => explanation === undefined)).toEqual([]);
});

test("every explanation is of a target that exists, and says both", () => {
  for (const { workloads, target, figures = [], limit, tried } of EXPLANATIONS) {
    expect(limit).not.toBe("");
    expect(tried).not.toBe("");
    for (const name of workloads) {
      const workload = WORKLOADS[name];
      const targets = [...Object.keys(workload?.targets ?? {}), ...(workload?.limit ? ["limit"] : [])];
      expect(targets, name).toContain(target);
      expect(workload?.figures.map(({ key }) => key)).toEqual(expect.arrayContaining(figures));
    }
  }
});
