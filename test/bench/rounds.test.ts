/**
 * Who goes on to be measured in the bench harness.
 */
import { expect, test } from "vitest";

const script = new URL("../../bench/rounds.mjs", import.meta.url).href;
const { membersToGoOn } = (await import(script)) as {
  membersToGoOn(workload: object, group: object[], rounds: object[][], wanted: number): { name: string }[];
};

const RATE = { figures: [{ key: "messagesPerSecond", better: "more" }] };
const GROUP = [
  { name: "Bun.serve", peers: [] },
  { name: "C limit", peers: [] },
  { name: "bun native", peers: ["Bun.serve"] },
  { name: "bun uring", peers: ["Bun.serve", "C limit"] },
];

/** Six rounds of three starts, in which each has so much in each start. */
function rounds(rates: Record<string, [number, number, number]>, others = 0): object[][] {
  return [0, 0, 1, 1, 2, 2].map((start) =>
    Object.entries(rates).map(([name, list]) => ({
      name,
      start,
      others,
      report: { messagesPerSecond: list[start] },
    })),
  );
}

const STEADY: Record<string, [number, number, number]> = {
  "Bun.serve": [100, 101, 102],
  "C limit": [200, 200, 201],
  "bun native": [90, 91, 92],
  "bun uring": [180, 180, 181],
};

function namesOf(measured: object[][], wanted = 6): string[] {
  return membersToGoOn(RATE, GROUP, measured, wanted).map(({ name }) => name);
}

test("nobody goes on once all ratios are known", () => {
  expect(namesOf(rounds(STEADY))).toEqual([]);
});

test("all go on before there are enough rounds, or while others have the cores", () => {
  const all = GROUP.map(({ name }) => name);
  expect(namesOf(rounds(STEADY), 8)).toEqual(all);
  expect(namesOf(rounds(STEADY).slice(0, 4), 4)).toEqual(all);
  expect(namesOf(rounds(STEADY, 0.2))).toEqual(all);
});

test("what a machine never was steady for is given up", () => {
  expect(namesOf(rounds(STEADY, 0.2), 3)).toEqual([]);
});

test("those whose ratio is not known well go on, with whom they are compared", () => {
  expect(namesOf(rounds({ ...STEADY, "C limit": [150, 200, 250] }))).toEqual(["C limit", "bun uring"]);
  expect(namesOf(rounds({ ...STEADY, "bun native": [80, 90, 100] }))).toEqual(["Bun.serve", "bun native"]);
});

test("nobody goes on for the sake of one that has failed", () => {
  const group = GROUP.filter(({ name }) => name !== "C limit");
  const { "C limit": _, ...measured } = STEADY;
  expect(membersToGoOn(RATE, group, rounds(measured), 6)).toEqual([]);
});
