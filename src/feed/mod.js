/**
 * What market data needs above sockets: arbitration of redundant lines, sequences without gaps, latencies.
 *
 * @module
 */
export { Histogram } from "../metrics/histogram.js";
export { Arbiter } from "./arbiter.js";
export { LatencyRecorder } from "./latency_recorder.js";
export { Line } from "./line.js";
export { SequenceGuard, } from "./sequence_guard.js";
