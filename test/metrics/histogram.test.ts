import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Histogram } from "../../src/metrics/histogram.ts";

/** What sorting all values would say. */
function exact(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1];
}

function filled(values: Iterable<number>): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.record(value);
  return histogram;
}

describe("Histogram", () => {
  test("percentiles are within 0.8 % of what sorting says, whatever the unit", () => {
    const value = fc.double({ min: 0.002, max: 1e13, noNaN: true });
    const share = fc.constantFrom(0, 0.001, 0.5, 0.95, 0.99, 0.999, 1);
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 300 }), share, (values, at) => {
        const expected = exact(values, at);
        expect(Math.abs(filled(values).percentile(at) - expected)).toBeLessThanOrEqual(expected * 0.008);
      }),
      { seed: 11, numRuns: 500 },
    );
  });

  test("count, sum, min, max and mean are exact", () => {
    const { count, sum, min, max, mean } = filled([3, 1, 2, 1e15, 0.25]);
    expect({ count, sum, min, max, mean }).toEqual({
      count: 5,
      sum: 1e15 + 6.25,
      min: 0.25,
      max: 1e15,
      mean: (1e15 + 6.25) / 5,
    });
  });

  test("what is no positive number counts as 0", () => {
    const histogram = filled([-5, Number.NaN, 0, -0]);
    expect(histogram.snapshot()).toMatchObject({ count: 4, sum: 0, min: 0, max: 0, p999: 0 });
  });

  test("an empty one says 0 everywhere, and so does one that was reset", () => {
    const zeros = { count: 0, sum: 0, min: 0, max: 0, mean: 0, p50: 0, p95: 0, p99: 0, p999: 0 };
    const histogram = new Histogram();
    expect(histogram.snapshot()).toEqual(zeros);
    histogram.record(7);
    expect(histogram.snapshot().p50).toBe(7);
    histogram.reset();
    expect(histogram.snapshot()).toEqual(zeros);
    histogram.record(9);
    expect(histogram.min).toBe(9);
  });

  test("adding another one is the same as recording its values", () => {
    const low = filled([1, 2, 3]);
    low.add(filled([100, 0.5]));
    low.add(new Histogram());
    expect(low.snapshot()).toEqual(filled([1, 2, 3, 100, 0.5]).snapshot());
  });

  test.each([-0.1, 1.1, Number.NaN])("refuses percentile %s", (share) => {
    expect(() => new Histogram().percentile(share)).toThrow(RangeError);
  });
});
