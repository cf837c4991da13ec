/** Snapshots in the text format that Prometheus scrapes. */
/** What to answer with as Content-Type. */
export const PROMETHEUS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";
/** Every number of a snapshot but `elapsedMs`, which Prometheus knows better; named as its documentation wants. */
const FAMILIES = [
    counter("connectionsOpened", "connections_opened_total", "Opening handshakes that succeeded."),
    counter("connectionsFailed", "connections_failed_total", "Opening handshakes that did not succeed."),
    counter("connectionsClosed", "connections_closed_total", "WebSockets that are gone."),
    counter("messagesReceived", "messages_received_total", "Messages that arrived."),
    counter("messagesSent", "messages_sent_total", "Messages that were sent or queued."),
    counter("messagesDropped", "messages_dropped_total", "Messages not taken because the queue was full."),
    counter("messagesShed", "messages_shed_total", "Messages that arrived and were dropped by receiveLimit."),
    counter("bytesReceived", "received_bytes_total", "Bytes of frames that arrived."),
    counter("bytesSent", "sent_bytes_total", "Bytes of frames that were sent or queued."),
    counter("backpressures", "backpressures_total", "Sends that met a slow peer."),
    { key: "connections", name: "ringwire_connections", type: "gauge", help: "WebSockets open now." },
];
const TIMES = [
    {
        key: "openingMs",
        name: "ringwire_opening_seconds",
        help: "Of clients: from connect to the open WebSocket.",
    },
    { key: "roundTripMs", name: "ringwire_round_trip_seconds", help: "From a ping to its pong." },
];
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
/** `code` and `quantile` are ours. */
const RESERVED = ["code", "quantile"];
function counter(key, name, help) {
    return { key, name: `ringwire_${name}`, type: "counter", help };
}
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
export function prometheusText(sources) {
    const labelled = [...sources].map(({ snapshot, labels = {} }) => ({ snapshot, labels: labelText(labels) }));
    if (new Set(labelled.map(({ labels }) => labels)).size < labelled.length) {
        throw new TypeError("Cannot tell two sources apart: give each labels of its own");
    }
    const lines = [];
    for (const { key, name, type, help } of FAMILIES) {
        lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
        for (const { snapshot, labels } of labelled)
            lines.push(sample(name, labels, snapshot[key]));
    }
    lines.push("# HELP ringwire_errors_total Failures by code.", "# TYPE ringwire_errors_total counter");
    for (const { snapshot, labels } of labelled) {
        for (const [code, count] of Object.entries(snapshot.errors)) {
            lines.push(sample("ringwire_errors_total", join(labels, `code="${code}"`), count));
        }
    }
    for (const { key, name, help } of TIMES) {
        lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} summary`);
        for (const { snapshot, labels } of labelled)
            lines.push(...summary(name, labels, snapshot[key]));
    }
    return `${lines.join("\n")}\n`;
}
function summary(name, labels, times) {
    const quantiles = [
        ["0.5", times.p50],
        ["0.95", times.p95],
        ["0.99", times.p99],
        ["0.999", times.p999],
    ];
    return [
        // Of nothing there are no quantiles, and 0 would look like a very good one.
        ...quantiles.map(([quantile, ms]) => sample(name, join(labels, `quantile="${quantile}"`), times.count === 0 ? Number.NaN : ms / 1_000)),
        sample(`${name}_sum`, labels, times.sum / 1_000),
        sample(`${name}_count`, labels, times.count),
    ];
}
function sample(name, labels, value) {
    return `${name}${labels === "" ? "" : `{${labels}}`} ${value}`;
}
function join(labels, more) {
    return labels === "" ? more : `${labels},${more}`;
}
/** `server="feed",venue="x"`, in the order of names, so that the same labels are the same text. */
function labelText(labels) {
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
function escaped(value) {
    return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
