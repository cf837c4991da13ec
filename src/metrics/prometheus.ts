/** Snapshots in the text format that Prometheus scrapes. */

import type { MetricsSnapshot } from "./counters.ts";
import type { HistogramSnapshot } from "./histogram.ts";
import { CONNECTIONS, COUNTERS, ERRORS, QUANTILES, TIMES } from "./instruments.ts";

/** What to answer with as Content-Type. */
export const PROMETHEUS_CONTENT_TYPE: string = "text/plain; version=0.0.4; charset=utf-8";

/** Whose figures a page shows. */
export interface PrometheusSource {
  /** The figures. */
  readonly snapshot: MetricsSnapshot;
  /** What tells them from the others on the page, such as `{ server: "feed" }`. Needed as soon as there are two. @default none */
  readonly labels?: Readonly<Record<string, string>>;
}

/** A source whose labels are text: `server="feed",venue="x"`. */
interface Labelled {
  readonly snapshot: MetricsSnapshot;
  readonly labels: string;
}

const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
/** Those are ours. */
const RESERVED: readonly string[] = ["code", "quantile"];

/**
 * Writes one page for Prometheus.
 *
 * @param sources - Servers, loops, services: whatever has metrics, each once.
 * @throws TypeError for a label's name that Prometheus does not take, or for two sources with the same labels.
 *
 * @example
 * ```ts
 * import { serve } from "ringwire";
 * import { PROMETHEUS_CONTENT_TYPE, prometheusText } from "ringwire/metrics";
 *
 * const server = await serve({
 *   port: 0,
 *   fetch(request, server) {
 *     if (server.upgrade(request)) return;
 *     const page = prometheusText([{ snapshot: server.metrics.snapshot() }]);
 *     return new Response(page, { headers: { "content-type": PROMETHEUS_CONTENT_TYPE } });
 *   },
 *   websocket: { message: (ws, data) => void ws.send(data) },
 * });
 * await server.stop();
 * ```
 *
 * @see {@link https://prometheus.io/docs/instrumenting/exposition_formats/ | Exposition formats}
 */
export function prometheusText(sources: Iterable<PrometheusSource>): string {
  const all = [...sources].map(({ snapshot, labels = {} }) => ({ snapshot, labels: labelText(labels) }));
  if (new Set(all.map(({ labels }) => labels)).size < all.length) {
    throw new TypeError("Cannot tell two sources apart: give each labels of its own");
  }
  const lines: string[] = [];
  for (const { key, name, unit, help } of COUNTERS) {
    const full = nameOf(unit === "By" ? `${name}.bytes.total` : `${name}.total`);
    lines.push(...headOf(full, "counter", help));
    for (const { snapshot, labels } of all) lines.push(sample(full, labels, snapshot[key]));
  }
  const open = nameOf(CONNECTIONS.name);
  lines.push(...headOf(open, "gauge", CONNECTIONS.help));
  for (const { snapshot, labels } of all) lines.push(sample(open, labels, snapshot.connections));
  lines.push(...errors(all));
  for (const { key, name, help } of TIMES) {
    const full = nameOf(`${name}.seconds`);
    lines.push(...headOf(full, "summary", help));
    for (const { snapshot, labels } of all) lines.push(...summary(full, labels, snapshot[key]));
  }
  return `${lines.join("\n")}\n`;
}

function errors(all: readonly Labelled[]): string[] {
  const name = nameOf(`${ERRORS.name}.total`);
  const lines = headOf(name, "counter", ERRORS.help);
  for (const { snapshot, labels } of all) {
    for (const [code, count] of Object.entries(snapshot.errors)) {
      lines.push(sample(name, join(labels, `code="${code}"`), count));
    }
  }
  return lines;
}

function summary(name: string, labels: string, times: HistogramSnapshot): string[] {
  return [
    // Of nothing there are no quantiles, and 0 would look like a very good one.
    ...QUANTILES.map(([quantile, key]) =>
      sample(
        name,
        join(labels, `quantile="${quantile}"`),
        times.count === 0 ? Number.NaN : times[key] / 1_000,
      ),
    ),
    sample(`${name}_sum`, labels, times.sum / 1_000),
    sample(`${name}_count`, labels, times.count),
  ];
}

function nameOf(words: string): string {
  return `ringwire_${words.replaceAll(".", "_")}`;
}

function headOf(name: string, type: "counter" | "gauge" | "summary", help: string): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}

function sample(name: string, labels: string, value: number): string {
  return `${name}${labels === "" ? "" : `{${labels}}`} ${value}`;
}

function join(labels: string, more: string): string {
  return labels === "" ? more : `${labels},${more}`;
}

/** In the order of names, so that the same labels are the same text. */
function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.keys(labels)
    .sort()
    .map((name) => {
      if (!LABEL_NAME.test(name) || name.startsWith("__") || RESERVED.includes(name)) {
        throw new TypeError(`Cannot use "${name}" as the name of a label`);
      }
      return `${name}="${escaped(labels[name])}"`;
    })
    .join(",");
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
