/**
 * What market data needs above sockets: arbitration of redundant lines, sequences without gaps, latencies.
 *
 * @module
 */

export { Histogram } from "../metrics/histogram.ts";
export { Arbiter, type ArbiterOptions, type Verdict } from "./arbiter.ts";
export { LatencyRecorder } from "./latency_recorder.ts";
export { Line } from "./line.ts";
export {
  type Acceptance,
  type SequenceGap,
  SequenceGuard,
  type SequenceGuardOptions,
} from "./sequence_guard.ts";
