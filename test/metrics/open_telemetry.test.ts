/** With the real SDK of OpenTelemetry. */
import { metrics } from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { afterEach, expect, test } from "vitest";
import { RingwireError } from "../../src/errors.ts";
import { Counters } from "../../src/metrics/counters.ts";
import { observeMetrics } from "../../src/metrics/open_telemetry.ts";

const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));

afterEach(() => exporter.reset());

/** Name, unit, attributes and value of everything that the SDK exports, in the order of names. */
async function exported(): Promise<string[]> {
  exporter.reset();
  await reader.forceFlush();
  return exporter
    .getMetrics()
    .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics))
    .flatMap(({ descriptor, dataPoints }) =>
      dataPoints.map(
        ({ attributes, value }) =>
          `${descriptor.name} ${descriptor.unit} ${JSON.stringify(attributes)} ${value}`,
      ),
    )
    .sort();
}

test("a real meter observes counters, errors and times of each source, until it is told to stop", async () => {
  const feed = new Counters(() => 0);
  const chat = new Counters(() => 0);
  feed.messagesSent = 5;
  feed.bytesSent = 70;
  feed.failed(new RingwireError("ERR_PROTOCOL", "x"));
  chat.connections = 2;
  chat.answered(2);
  const stop = observeMetrics(metrics.getMeter("ringwire"), [
    { metrics: feed, attributes: { server: "feed" } },
    { metrics: chat, attributes: { server: "chat" } },
  ]);
  const lines = await exported();
  expect(lines).toContain('ringwire.messages.sent {message} {"server":"feed"} 5');
  expect(lines).toContain('ringwire.messages.sent {message} {"server":"chat"} 0');
  expect(lines).toContain('ringwire.sent By {"server":"feed"} 70');
  expect(lines).toContain('ringwire.connections {connection} {"server":"chat"} 2');
  expect(lines).toContain('ringwire.errors {error} {"server":"feed","code":"ERR_PROTOCOL"} 1');
  expect(lines.filter((line) => line.startsWith("ringwire.round_trip"))).toEqual([
    'ringwire.round_trip s {"server":"chat","quantile":"0.5"} 0.002',
    'ringwire.round_trip s {"server":"chat","quantile":"0.95"} 0.002',
    'ringwire.round_trip s {"server":"chat","quantile":"0.99"} 0.002',
    'ringwire.round_trip s {"server":"chat","quantile":"0.999"} 0.002',
  ]);
  feed.messagesSent = 9;
  expect(await exported()).toContain('ringwire.messages.sent {message} {"server":"feed"} 9');
  stop();
  feed.messagesSent = 11;
  expect(await exported()).not.toContain('ringwire.messages.sent {message} {"server":"feed"} 11');
});
