/**
 * What Ringwire has counted and how long things took: for people, for Prometheus and for OpenTelemetry.
 *
 * @module
 */
export { Histogram } from "./histogram.js";
export { PROMETHEUS_CONTENT_TYPE, prometheusText } from "./prometheus.js";
