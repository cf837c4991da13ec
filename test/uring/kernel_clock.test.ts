/** Stamps of the kernel on the runtime's clock. */
import { expect, test } from "vitest";
import { KernelClock } from "../../src/uring/kernel_clock.ts";
import { FIELD_CLOCK_HIGH, FIELD_CLOCK_LOW } from "../../src/uring/layout.ts";
import type { Ring } from "../../src/uring/ring.ts";

const BOOT_NS = 12_345_678_901_234;

/** Halves as C writes them: signed in event records. */
const low = (ns: number): number => (ns % 2 ** 32) | 0;
const high = (ns: number): number => Math.floor(ns / 2 ** 32);

test("a kernel clock counts from the runtime's beginning, and learns by the quickest turn", () => {
  const ring = { turnNumber: 0, kernelNs: 0, field: (_index: number): number => 0 };
  ring.field = (index) => (index === FIELD_CLOCK_LOW ? low(ring.kernelNs) >>> 0 : high(ring.kernelNs));
  expect([FIELD_CLOCK_LOW, FIELD_CLOCK_HIGH].map(ring.field)).toEqual([0, 0]);
  let nowMs = 0;
  const clock = new KernelClock(ring as unknown as Ring, () => nowMs);
  const stampAt = (localNs: number): number =>
    clock.toLocalNs(low(BOOT_NS + localNs), high(BOOT_NS + localNs));

  // C looked at its clock at 1 ms, we did 20 µs later: so far a stamp seems to be that much later than it is.
  ring.turnNumber = 1;
  ring.kernelNs = BOOT_NS + 1_000_000;
  nowMs = 1.02;
  expect(stampAt(900_000)).toBe(920_000);
  // Within a turn nothing is compared again.
  nowMs = 5;
  expect(stampAt(950_000)).toBe(970_000);
  // A turn after which we looked 1 µs later.
  ring.turnNumber = 2;
  ring.kernelNs = BOOT_NS + 6_000_000;
  nowMs = 6.001;
  expect(stampAt(5_900_000)).toBe(5_901_000);
  // A slow one teaches nothing.
  ring.turnNumber = 3;
  ring.kernelNs = BOOT_NS + 7_000_000;
  nowMs = 9;
  expect(stampAt(6_900_000)).toBe(6_901_000);
});
