/** `connectStream` and its options: from a URL to an open stream of bytes. */
import { RingwireError } from "../errors.js";
import { defaultLoop, engineOf } from "../loop.js";
import { CLIENT_NUMBERS, checkKnown, readNumbers } from "../options.js";
import { withoutUser } from "../protocol/url.js";
import { recordedEngine } from "../record/recorded_engine.js";
import { Dialer } from "./dialer.js";
import { ROUTE_OPTION_NAMES, readRoute, readTls, refuseTls } from "./route.js";
import { readStreamSettings, } from "./stream_options.js";
import { StreamSession } from "./stream_session.js";
import { parseStreamUrl } from "./stream_url.js";
const STREAM_CLIENT_NUMBERS = { connectTimeoutMs: CLIENT_NUMBERS.connectTimeoutMs };
const OPTION_NAMES = [
    ...Object.keys(STREAM_CLIENT_NUMBERS),
    ...ROUTE_OPTION_NAMES,
    ...["loop", "stream", "data", "signal", "tls"],
];
/**
 * Opens a stream of bytes, for protocols of your own. Resolves once the connection stands, TLS included.
 *
 * @param url - `tcp://host:port`, `tls://host:port`, or `unix:PATH` (with TLS: `tls+unix:PATH`) for a Unix socket.
 * @throws TypeError, RangeError for a bad URL, unknown options and values out of range.
 * @throws RingwireError `ERR_CONNECTION_REFUSED`, `ERR_HOST_NOT_FOUND`, `ERR_CONNECTION_TIMEOUT`, `ERR_TLS_UNKNOWN_ISSUER`,
 *   `ERR_TLS_HOST_MISMATCH`, `ERR_ABORTED` …
 *
 * @example
 * ```ts
 * import { createServer } from "node:net";
 * import { connectStream } from "ringwire";
 *
 * const server = createServer((socket) => socket.end("220 ready\r\n")).listen(0, "127.0.0.1");
 * await new Promise((resolve) => server.once("listening", resolve));
 * const { port } = server.address() as { port: number };
 * const stream = await connectStream(`tcp://127.0.0.1:${port}`, {
 *   stream: { data: (_stream, bytes) => console.log(new TextDecoder().decode(bytes)) },
 * });
 * await stream.closed;
 * server.close();
 * ```
 */
export async function connectStream(url, options = {}) {
    const where = "connectStream";
    checkKnown(where, options, OPTION_NAMES);
    const { connectTimeoutMs } = readNumbers(where, options, STREAM_CLIENT_NUMBERS);
    const settings = readStreamSettings(options.stream ?? {});
    const { secure, host, port, name } = parseStreamUrl(url);
    const route = readRoute(where, options);
    if (!secure)
        refuseTls(options.tls);
    const href = typeof url === "string" ? url : url.href;
    const engine = recordedEngine(engineOf(options.loop ?? defaultLoop()), options.record, href);
    const socketOptions = secure
        ? { ...route, tls: readTls(name, options.tls, engine.runtime.environment) }
        : route;
    const plan = { url: href, host, port, socketOptions, connectTimeoutMs };
    return new Promise((resolve, reject) => {
        const opening = new StreamOpening(engine, settings, plan, options.data, options.signal);
        opening.start(resolve, reject);
    });
}
/** A stream on its way. */
class StreamOpening {
    #engine;
    #settings;
    #plan;
    #data;
    #signal;
    #dialer;
    #aborted = () => this.#abort();
    #resolve = () => undefined;
    #reject = () => undefined;
    constructor(engine, settings, plan, data, signal) {
        this.#engine = engine;
        this.#settings = settings;
        this.#plan = plan;
        this.#data = data;
        this.#signal = signal;
        this.#dialer = new Dialer(engine, plan, this);
    }
    start(resolve, reject) {
        this.#resolve = resolve;
        this.#reject = reject;
        if (this.#signal?.aborted === true) {
            this.#abort();
            return;
        }
        this.#signal?.addEventListener("abort", this.#aborted);
        this.#dialer.start();
    }
    connected(connection) {
        this.#signal?.removeEventListener("abort", this.#aborted);
        const session = new StreamSession(this.#engine, connection, this.#settings, this.#plan.url, this.#data);
        this.#resolve(session.stream);
        session.opened();
        return session;
    }
    failed(error) {
        this.#signal?.removeEventListener("abort", this.#aborted);
        this.#reject(error);
    }
    #abort() {
        this.#dialer.giveUp();
        const cause = this.#signal?.reason;
        this.failed(new RingwireError("ERR_ABORTED", `Connecting to ${withoutUser(this.#plan.url)} was aborted`, { cause }));
    }
}
