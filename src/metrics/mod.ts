/**
 * What Ringwire has counted and how long things took, for people and for Prometheus and OpenTelemetry.
 *
 * @module
 */

export { Histogram, type HistogramSnapshot } from "./histogram.ts";
