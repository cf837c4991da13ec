/**
 * The pictures of the bench harness.
 */
import { expect, test } from "vitest";

const folder = new URL("../../bench/plot/", import.meta.url).href;
const { percentilePlot } = (await import(`${folder}percentile_plot.mjs`)) as {
  percentilePlot(result: object): string;
};
const { ratioPlot } = (await import(`${folder}ratio_plot.mjs`)) as {
  ratioPlot(workload: object, result: object): string;
};

const LATENCIES = {
  workload: "rate",
  percentilesNs: {
    "bun uring": Array.from({ length: 18 }, (_, index) => 8_000 * 1.3 ** index),
    "C limit": Array.from({ length: 18 }, (_, index) => 7_000 * 1.3 ** index),
  },
};
const WORKLOAD = {
  figures: [{ key: "messagesPerSecond", unit: "msg/s", better: "more" }],
  targets: { "bun uring/Bun.serve": 1.5 },
};
const RATIOS = {
  workload: "echo <pipe>",
  comparisons: [
    {
      ours: "bun uring",
      theirs: "Bun.serve",
      figure: "messagesPerSecond",
      ratio: 2,
      min: 1.5,
      max: 2.2,
    },
    { ours: "node native", theirs: "ws", figure: "messagesPerSecond", ratio: 0.7, min: 0.6, max: 0.8 },
  ],
};

/** Every number of the picture's attributes and paths is one, and every element that opens closes. */
function expectSound(svg: string): void {
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  expect(svg.length).toBeLessThan(30_000);
  const open: string[] = [];
  for (const [, end, name, empty] of svg.matchAll(/<(\/?)(\w+)(?:"[^"]*"|[^"<>])*?(\/?)>/g)) {
    if (end) expect(open.pop()).toBe(name);
    else if (!empty) open.push(name as string);
  }
  expect(open).toEqual([]);
}

test("latencies by percentile are drawn for everybody, with nines below", () => {
  const svg = percentilePlot(LATENCIES);
  expectSound(svg);
  for (const label of ["bun uring", "C limit", "90 %", "99.99 %"]) expect(svg).toContain(`>${label}<`);
});

test("ratios are drawn with their target, and what is written is escaped", () => {
  const svg = ratioPlot(WORKLOAD, RATIOS);
  expectSound(svg);
  for (const label of ["bun uring ÷ Bun.serve", "2.00", "0.70"]) expect(svg).toContain(`>${label}<`);
  expect(svg).toContain("echo &lt;pipe>");
  expect(svg).toContain("red: target");
});

test("the same figures give the same bytes", () => {
  expect(percentilePlot(LATENCIES)).toBe(percentilePlot(structuredClone(LATENCIES)));
  expect(ratioPlot(WORKLOAD, RATIOS)).toBe(ratioPlot(WORKLOAD, structuredClone(RATIOS)));
});
