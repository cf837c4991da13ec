import { describe, expect, test } from "vitest";
import { measureCallCost } from "../../src/cli/call_cost.ts";
import { runtime } from "../../src/runtime/detect.ts";
import { library, missing } from "../uring/open_test_transport.ts";

describe.skipIf(missing !== undefined)("the cost of a call into C", () => {
  test("is some nanoseconds, and the instructions have a name", () => {
    const { callNs, instructions } = measureCallCost(runtime, library);
    expect(callNs).toBeGreaterThan(0.1);
    expect(callNs).toBeLessThan(10_000);
    expect(["scalar", "SSE2", "AVX2", "AVX-512", "NEON"]).toContain(instructions);
  });
});

test("a missing shim is an error of ours", () => {
  expect(() => measureCallCost(runtime, "/nowhere/libringwire.so")).toThrow(/Cannot load the shim/);
});
