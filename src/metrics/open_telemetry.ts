/**
 * Metrics for OpenTelemetry: a program hands over its meter, so nothing of OpenTelemetry is loaded here. What is counted is read when
 * the meter collects, and costs nothing in between.
 */

import type { Metrics } from "./counters.ts";
import { CONNECTIONS, COUNTERS, ERRORS, QUANTILES, TIMES } from "./instruments.ts";

/** Attributes of OpenTelemetry, as far as they are used here. */
export type MeterAttributes = Readonly<Record<string, string>>;

/** What a callback tells a meter. */
export interface MeterObserver<Instrument> {
  /** Reports a value. */
  observe(instrument: Instrument, value: number, attributes?: MeterAttributes): void;
}

/** As much of `Meter` of `@opentelemetry/api` as is used here: hand over a real one. */
export interface MeterLike<Instrument> {
  /** Makes an instrument that only grows. */
  createObservableCounter(name: string, options: { description: string; unit: string }): Instrument;
  /** Makes an instrument that goes up and down. */
  createObservableUpDownCounter(name: string, options: { description: string; unit: string }): Instrument;
  /** Makes an instrument that shows values that cannot be summed. */
  createObservableGauge(name: string, options: { description: string; unit: string }): Instrument;
  /** Has a function called whenever the meter collects. */
  addBatchObservableCallback(
    callback: (observer: MeterObserver<Instrument>) => void,
    instruments: Instrument[],
  ): void;
  /** Has it called no more. */
  removeBatchObservableCallback(
    callback: (observer: MeterObserver<Instrument>) => void,
    instruments: Instrument[],
  ): void;
}

/** Whose figures a meter gets. */
export interface ObservedSource {
  /** `server.metrics`, `loop.metrics`, a service's. */
  readonly metrics: Metrics;
  /** What tells them from the others. @default none */
  readonly attributes?: MeterAttributes;
}

/**
 * Lets an OpenTelemetry meter observe metrics: counters as `ringwire.messages.sent` …, errors with the attribute `code`, times in seconds as gauges
 * with the attribute `quantile`.
 *
 * @param meter - Of `@opentelemetry/api`: `metrics.getMeter("ringwire")`.
 * @param sources - What to observe, each with attributes of its own.
 * @returns Ends it.
 *
 * @example
 * ```ts
 * import { serve } from "ringwire";
 * import { type MeterLike, observeMetrics } from "ringwire/metrics";
 *
 * export async function observed<Instrument>(meter: MeterLike<Instrument>): Promise<void> {
 *   const server = await serve({ port: 0, websocket: {} });
 *   const stop = observeMetrics(meter, [{ metrics: server.metrics, attributes: { server: "feed" } }]);
 *   await server.stop();
 *   stop();
 * }
 * ```
 *
 * @see {@link https://opentelemetry.io/docs/specs/otel/metrics/api/ | Metrics API}
 */
export function observeMetrics<Instrument>(
  meter: MeterLike<Instrument>,
  sources: readonly ObservedSource[],
): () => void {
  const counters = COUNTERS.map(({ key, name, unit, help }) => ({
    key,
    instrument: meter.createObservableCounter(nameOf(name), { description: help, unit }),
  }));
  const open = meter.createObservableUpDownCounter(nameOf(CONNECTIONS.name), {
    description: CONNECTIONS.help,
    unit: CONNECTIONS.unit,
  });
  const errors = meter.createObservableCounter(nameOf(ERRORS.name), {
    description: ERRORS.help,
    unit: "{error}",
  });
  const times = TIMES.map(({ key, name, help }) => ({
    key,
    instrument: meter.createObservableGauge(nameOf(name), { description: help, unit: "s" }),
  }));
  const observe = (observer: MeterObserver<Instrument>): void => {
    for (const { metrics, attributes = {} } of sources) {
      const snapshot = metrics.snapshot();
      for (const { key, instrument } of counters) observer.observe(instrument, snapshot[key], attributes);
      observer.observe(open, snapshot.connections, attributes);
      for (const [code, count] of Object.entries(snapshot.errors)) {
        observer.observe(errors, count, { ...attributes, code });
      }
      for (const { key, instrument } of times) {
        // Of nothing there are no quantiles, and 0 would look like a very good one.
        if (snapshot[key].count === 0) continue;
        for (const [quantile, name] of QUANTILES) {
          observer.observe(instrument, snapshot[key][name] / 1_000, { ...attributes, quantile });
        }
      }
    }
  };
  const instruments = [...counters, ...times].map(({ instrument }) => instrument);
  instruments.push(open, errors);
  meter.addBatchObservableCallback(observe, instruments);
  return () => meter.removeBatchObservableCallback(observe, instruments);
}

function nameOf(words: string): string {
  return `ringwire.${words}`;
}
