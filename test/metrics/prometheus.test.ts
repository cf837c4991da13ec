import { describe, expect, test } from "vitest";
import { RingwireError } from "../../src/errors.ts";
import { Counters } from "../../src/metrics/counters.ts";
import { PROMETHEUS_CONTENT_TYPE, prometheusText } from "../../src/metrics/prometheus.ts";

/** Some of everything. */
function counted(): Counters {
  const counters = new Counters(() => 0);
  counters.connections = 2;
  counters.connectionsOpened = 3;
  counters.bytesSent = 2 ** 40;
  counters.failed(new RingwireError("ERR_PROTOCOL", "x"));
  counters.failed(new RingwireError("ERR_IDLE_TIMEOUT", "x"));
  counters.answered(2);
  return counters;
}

/** The page as [name, labels, value], read by the grammar of the format: a line that is neither comment nor sample fails. */
function samples(page: string): string[][] {
  expect(page.endsWith("\n")).toBe(true);
  const rows: string[][] = [];
  let family = "";
  const seen = new Set<string>();
  for (const line of page.slice(0, -1).split("\n")) {
    const comment = /^# (HELP|TYPE) ([a-z_]+) (.+)$/.exec(line);
    if (comment !== null) {
      if (comment[1] === "HELP") {
        family = comment[2];
        expect(seen.has(family), `${family} comes once`).toBe(false);
        seen.add(family);
      } else expect(comment[3]).toMatch(/^(counter|gauge|summary)$/);
      continue;
    }
    const parts = /^([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)+)\})? (NaN|[0-9.e+]+)$/.exec(line);
    expect(parts, line).not.toBe(null);
    const [, name, labels = "", value] = parts as RegExpExecArray;
    expect(name.startsWith(family), `${name} is of ${family}`).toBe(true);
    rows.push([name, labels, value]);
  }
  return rows;
}

describe("prometheusText", () => {
  test("writes counters, gauges, errors by code and times as summaries in seconds", () => {
    const page = prometheusText([{ snapshot: counted().snapshot() }]);
    expect(page).toContain(
      "# HELP ringwire_connections WebSockets open now.\n# TYPE ringwire_connections gauge\n",
    );
    expect(samples(page)).toEqual([
      ["ringwire_connections_opened_total", "", "3"],
      ["ringwire_connections_failed_total", "", "0"],
      ["ringwire_connections_closed_total", "", "0"],
      ["ringwire_messages_received_total", "", "0"],
      ["ringwire_messages_sent_total", "", "0"],
      ["ringwire_messages_dropped_total", "", "0"],
      ["ringwire_messages_shed_total", "", "0"],
      ["ringwire_received_bytes_total", "", "0"],
      ["ringwire_sent_bytes_total", "", "1099511627776"],
      ["ringwire_backpressures_total", "", "0"],
      ["ringwire_connections", "", "2"],
      ["ringwire_errors_total", 'code="ERR_PROTOCOL"', "1"],
      ["ringwire_errors_total", 'code="ERR_IDLE_TIMEOUT"', "1"],
      ["ringwire_opening_seconds", 'quantile="0.5"', "NaN"],
      ["ringwire_opening_seconds", 'quantile="0.95"', "NaN"],
      ["ringwire_opening_seconds", 'quantile="0.99"', "NaN"],
      ["ringwire_opening_seconds", 'quantile="0.999"', "NaN"],
      ["ringwire_opening_seconds_sum", "", "0"],
      ["ringwire_opening_seconds_count", "", "0"],
      ["ringwire_round_trip_seconds", 'quantile="0.5"', "0.002"],
      ["ringwire_round_trip_seconds", 'quantile="0.95"', "0.002"],
      ["ringwire_round_trip_seconds", 'quantile="0.99"', "0.002"],
      ["ringwire_round_trip_seconds", 'quantile="0.999"', "0.002"],
      ["ringwire_round_trip_seconds_sum", "", "0.002"],
      ["ringwire_round_trip_seconds_count", "", "1"],
    ]);
    expect(PROMETHEUS_CONTENT_TYPE).toContain("version=0.0.4");
  });

  test("puts the samples of several sources into one family each, told apart by escaped labels", () => {
    const snapshot = counted().snapshot();
    const page = prometheusText([
      { snapshot, labels: { server: 'a "quoted" \\ name\nin two lines' } },
      { snapshot, labels: { venue: "x", server: "b" } },
    ]);
    const opened = samples(page).filter(([name]) => name === "ringwire_connections_opened_total");
    expect(opened).toEqual([
      ["ringwire_connections_opened_total", 'server="a \\"quoted\\" \\\\ name\\nin two lines"', "3"],
      ["ringwire_connections_opened_total", 'server="b",venue="x"', "3"],
    ]);
    expect(samples(page)).toContainEqual([
      "ringwire_errors_total",
      'server="b",venue="x",code="ERR_PROTOCOL"',
      "1",
    ]);
  });

  test("refuses sources that cannot be told apart, and labels that Prometheus does not take", () => {
    const snapshot = counted().snapshot();
    expect(() => prometheusText([{ snapshot }, { snapshot }])).toThrow(TypeError);
    for (const name of ["1x", "a-b", "", "__name", "code", "quantile"]) {
      expect(() => prometheusText([{ snapshot, labels: { [name]: "x" } }])).toThrow(TypeError);
    }
  });
});
