/**
 * What bench/RESULTS.md says about targets without an explanation.
 */
import { expect, test } from "vitest";

const script = new URL("../../bench/page.mjs", import.meta.url).href;
const { unexplained } = (await import(script)) as {
  unexplained(result: object): string[];
};

function ratio(ours: string, value: number): object {
  return { ours, theirs: "Bun.serve", figure: "messagesPerSecond", condition: "near", ratio: value };
}

test("a missed target without an explanation is named", () => {
  const result = {
    workload: "echo-16k",
    comparisons: [ratio("node uring", 1)],
    rounds: [],
  };
  expect(unexplained(result)).toEqual([]);
  expect(unexplained({ ...result, comparisons: [ratio("bun uring", 2)] })).toEqual([
    "echo-16k: bun uring ÷ Bun.serve ≥ 2.5: missed by 20 %",
  ]);
  expect(unexplained({ workload: "ffi", outputs: {} })).toEqual([]);
});
