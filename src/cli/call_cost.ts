/** What a call into C costs on this runtime: the figure that the thresholds in src/uring come from. */

import type { Runtime } from "../runtime/runtime.ts";
import { openShim } from "./library.ts";

const CALLS = 100_000;
const ROUNDS = 7;
/** By the numbers of `rw_kernel_set`. */
const KERNEL_SETS = ["scalar", "SSE2", "AVX2", "AVX-512", "NEON"] as const;

/** Facts about an opened shim. */
export interface CallCost {
  /** One call that does nothing, nanoseconds: the best of several rounds. */
  readonly callNs: number;
  /** The instructions that masking and UTF-8 checks use. */
  readonly instructions: string;
}

/**
 * Measures, in about 50 ms at most.
 *
 * @throws RingwireError `ERR_LIBRARY` when the shim is missing or does not fit.
 */
export function measureCallCost(runtime: Runtime, library: string | undefined): CallCost {
  const { rw_kernel_set: call } = openShim(runtime, library);
  let best = Infinity;
  // The first rounds also warm the compiler up; the best one was disturbed least.
  for (let round = 0; round < ROUNDS; round++) {
    const startMs = runtime.nowMs();
    for (let count = 0; count < CALLS; count++) call();
    best = Math.min(best, runtime.nowMs() - startMs);
  }
  return { callNs: (best * 1e6) / CALLS, instructions: KERNEL_SETS[call()] ?? "unknown" };
}
