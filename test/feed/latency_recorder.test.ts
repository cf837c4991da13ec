/** Where a message's time went. */
import { expect, test } from "vitest";
import { LatencyRecorder } from "../../src/feed/mod.ts";

test("a latency recorder tells the way here from the time here", () => {
  const recorder = new LatencyRecorder(1_700_000_000_000);
  for (let index = 0; index < 10; index++)
    recorder.record(1_700_000_000_005, 5_000_000 + 40_000, 5_000_000 + 50_000);
  expect([recorder.transit.max, recorder.handling.max, recorder.age.max]).toEqual([40_000, 10_000, 50_000]);
  expect(recorder.table()).toBe(
    [
      "µs                   p50         p95         p99       p99.9         max",
      "transit             40.0        40.0        40.0        40.0        40.0",
      "handling            10.0        10.0        10.0        10.0        10.0",
      "age                 50.0        50.0        50.0        50.0        50.0",
    ].join("\n"),
  );
  recorder.reset();
  expect(recorder.age.count).toBe(0);
});

test("a message from the future was published just now", () => {
  const recorder = new LatencyRecorder(0);
  recorder.record(10, 9_000_000, 9_500_000);
  expect([recorder.transit.max, recorder.handling.max, recorder.age.max]).toEqual([0, 500_000, 0]);
});
