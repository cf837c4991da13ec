/**
 * What Ringwire has counted and how long things took: for people, for Prometheus and for OpenTelemetry.
 *
 * @module
 */

export type { Metrics, MetricsSnapshot } from "./counters.ts";
export { Histogram, type HistogramSnapshot } from "./histogram.ts";
export {
  type MeterAttributes,
  type MeterLike,
  type MeterObserver,
  type ObservedSource,
  observeMetrics,
} from "./open_telemetry.ts";
export { PROMETHEUS_CONTENT_TYPE, type PrometheusSource, prometheusText } from "./prometheus.ts";
