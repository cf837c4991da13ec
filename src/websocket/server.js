/**
 * `serve` and its options: a WebSocket server in the shape that Bun users know, on every runtime.
 */
import { defaultLoop, engineOf } from "../loop.js";
import { checkKnown, readFlag, readNumbers, readSystemSocketOptions, SERVER_NUMBERS, SYSTEM_SOCKET_OPTION_NAMES, } from "../options.js";
import { checkHeader } from "../protocol/header_list.js";
import { checkProtocols } from "../protocol/upgrade_request.js";
import { recordedEngine } from "../record/recorded_engine.js";
import { serverAddress } from "../stream/address_of.js";
import { readServerTls } from "../tls_options.js";
import { readConnectionLimit } from "./connection_limit.js";
import { ServerHost } from "./server_host.js";
import { readSettings } from "./settings.js";
const OPTION_NAMES = [
    ...Object.keys(SERVER_NUMBERS),
    ...SYSTEM_SOCKET_OPTION_NAMES,
    "loop",
    "hostname",
    "unix",
    "fetch",
    "error",
    "tls",
    "tlsError",
    "websocket",
    "protocols",
    "requiredHeaders",
    "origins",
    "connectionLimit",
    "reusePort",
    "ipv6Only",
    "record",
];
/**
 * Starts a server. Resolves once it listens.
 *
 * @throws TypeError, RangeError at once for unknown options and values out of range.
 * @throws RingwireError `ERR_ADDRESS_IN_USE`, `ERR_PERMISSION_DENIED`, `ERR_ADDRESS_NOT_AVAILABLE`, `ERR_HOST_NOT_FOUND` …
 *
 * @example
 * ```ts
 * import { connect, serve } from "ringwire";
 *
 * const server = await serve<{ user: string }>({
 *   port: 0,
 *   fetch(request, server) {
 *     if (server.upgrade(request, { data: { user: "ada" } })) return;
 *     return new Response("not here", { status: 404 });
 *   },
 *   websocket: { message: (ws, data) => void ws.send(`${ws.data.user}: ${data}`) },
 * });
 * const socket = await connect(server.url);
 * socket.send("hello");
 * await server.stop();
 * ```
 */
export async function serve(options) {
    checkKnown("serve", options, OPTION_NAMES);
    const numbers = readNumbers("serve", options, SERVER_NUMBERS);
    if (options.fetch !== undefined && typeof options.fetch !== "function") {
        throw new TypeError(`Option "fetch" of serve must be a function, not ${typeof options.fetch}`);
    }
    if (options.tlsError !== undefined && typeof options.tlsError !== "function") {
        throw new TypeError(`Option "tlsError" of serve must be a function, not ${typeof options.tlsError}`);
    }
    if (options.websocket === undefined)
        throw new TypeError(`serve needs the option "websocket": handlers of its sockets`);
    const settings = readSettings("server", options.websocket);
    checkProtocols((options.protocols ?? []).filter((protocol) => protocol !== "*"));
    for (const name of options.requiredHeaders ?? [])
        checkHeader(name, "");
    const limits = {
        maxBytes: numbers.maxHeaderBytes,
        maxHeaders: numbers.maxHeaders,
        requestTimeoutMs: numbers.handshakeTimeoutMs,
        maxBodyBytes: numbers.maxRequestBodyBytes,
    };
    const endpointOptions = {
        ...readSystemSocketOptions("serve", options),
        // Only when asked for: Bun's own sockets have no such option, and refuse it.
        ...(options.backlog === undefined ? {} : { backlog: numbers.backlog }),
        reusePort: readFlag("reusePort", options.reusePort, false),
        ipv6Only: readFlag("ipv6Only", options.ipv6Only, false),
    };
    const connectionLimit = options.connectionLimit && readConnectionLimit(options.connectionLimit);
    const loop = options.loop ?? defaultLoop();
    const engine = recordedEngine(engineOf(loop), options.record);
    const tls = options.tls === undefined ? undefined : readServerTls(options.tls, engine.runtime.environment);
    const hostname = options.hostname ?? "0.0.0.0";
    const address = await serverAddress(engine.runtime, options.unix, hostname, numbers.port);
    const host = new ServerHost(engine, options, settings, limits, numbers.maxConnections, connectionLimit);
    const server = new Server(host, loop, options.hostname);
    host.server = server;
    await host.listen({ ...endpointOptions, address, ...(tls === undefined ? {} : { tls }) });
    return server;
}
/** A listening server. Made by {@linkcode serve}. */
export class Server {
    /** The loop it lives on: `server.loop.transport`, `server.loop.reason`. */
    loop;
    #host;
    #hostname;
    /** @internal Not for programs: servers come from `serve`. */
    constructor(host, loop, hostname) {
        this.#host = host;
        this.loop = loop;
        this.#hostname = hostname;
    }
    /** Where it listens. */
    get address() {
        return this.#host.address;
    }
    /** The TCP port; 0 on a Unix socket. */
    get port() {
        return this.#host.address.port;
    }
    /** The host name it was given, or its address. */
    get hostname() {
        return this.#hostname ?? this.#host.address.host;
    }
    /**
     * A URL that `connect` takes: `ws://127.0.0.1:8080/`, with TLS `wss:`. A server on all addresses is reached at the loopback one; whether its
     * certificate is for that name is another matter.
     */
    get url() {
        const { family, host, port } = this.#host.address;
        const scheme = this.#host.isSecure ? "wss" : "ws";
        if (family === "unix")
            return `${scheme}+unix:${host}:/`;
        const reachable = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
        return `${scheme}://${family === "ipv6" ? `[${reachable}]` : reachable}:${port}/`;
    }
    /** What this server's WebSockets have done: counters and times. `prometheusText` of `ringwire/metrics` writes them for Prometheus. */
    get metrics() {
        return this.#host.metrics;
    }
    /** Open WebSockets. */
    get connections() {
        return this.#host.sockets.size;
    }
    /** All open WebSockets, for broadcasting and bookkeeping. */
    *sockets() {
        for (const session of this.#host.sockets)
            yield session.socket;
    }
    /**
     * Turns a request into a WebSocket, from inside `fetch`. The `open` handler runs before this returns.
     *
     * @returns Whether the request was taken care of: then `fetch` returns nothing. False: it asks for no WebSocket, or its peer is gone.
     */
    upgrade(request, options = {}) {
        checkKnown("upgrade", options, ["data", "headers", "protocol"]);
        return this.#host.upgrade(request, options);
    }
    /** The address that a request came from; undefined when its peer is gone. */
    remoteAddress(request) {
        return this.#host.remoteAddress(request);
    }
    /** What TLS has agreed on with the peer that a request came from; undefined without TLS, and when the peer is gone. */
    tls(request) {
        return this.#host.tls(request);
    }
    /**
     * Other certificates and terms for TLS handshakes from now on; no connection is dropped. What is left out stays as it was: a renewed
     * certificate needs `cert` and `key` and nothing else.
     *
     * @param options - Anything of {@linkcode ServerTlsOptions} but `handshakeTimeoutMs`, which stays.
     * @throws TypeError for a server without TLS, and for what is wrong; the old ones stay in use then.
     * @throws RingwireError `ERR_UNSUPPORTED` where a runtime's native sockets cannot do it.
     */
    updateTls(options) {
        this.#host.updateTls(options);
    }
    /**
     * Stops: accepts nothing more, lets answers in progress finish, closes every WebSocket with 1001, and aborts what is left after
     * `graceMs`. Resolves when all is gone. Idempotent.
     */
    stop(options = {}) {
        checkKnown("stop", options, ["graceMs"]);
        const { graceMs } = readNumbers("stop", options, {
            graceMs: { default: 5_000, min: 0, max: 2_147_483_647 },
        });
        return this.#host.stop(graceMs);
    }
    /** Same as {@linkcode Server.stop} with its defaults. */
    [Symbol.asyncDispose]() {
        return this.stop();
    }
}
