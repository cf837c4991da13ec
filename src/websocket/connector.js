/**
 * The options of `connect`, checked once, for as many WebSockets as are opened with them: `connect` opens one, a service's endpoint
 * one after the other.
 */
import { defaultLoop, engineOf } from "../loop.js";
import { CLIENT_NUMBERS, checkKnown, readNumbers } from "../options.js";
import { checkProtocols, writeUpgradeRequest } from "../protocol/upgrade_request.js";
import { parseWebSocketUrl } from "../protocol/url.js";
import { recordedEngine } from "../record/recorded_engine.js";
import { ROUTE_OPTION_NAMES, readRoute, readTls, refuseTls } from "../stream/route.js";
import { ClientHandshake } from "./client_handshake.js";
import { readSettings } from "./settings.js";
/** Names of {@linkcode ConnectOptions}. */
export const CONNECT_OPTION_NAMES = [
    ...Object.keys(CLIENT_NUMBERS),
    ...ROUTE_OPTION_NAMES,
    "loop",
    "websocket",
    "data",
    "protocols",
    "headers",
    "signal",
    "tls",
];
/** See the top of this file. */
export class Connector {
    engine;
    #options;
    #settings;
    #numbers;
    #protocols;
    #route;
    /**
     * @param where - For messages: `connect`.
     * @throws TypeError, RangeError for what is unknown or out of range.
     */
    constructor(where, options) {
        checkKnown(where, options, CONNECT_OPTION_NAMES);
        const { protocols = [] } = options;
        this.#options = options;
        this.#numbers = readNumbers(where, options, CLIENT_NUMBERS);
        this.#settings = readSettings("client", options.websocket ?? {});
        this.#route = readRoute(where, options);
        this.#protocols = typeof protocols === "string" ? [protocols] : [...protocols];
        checkProtocols(this.#protocols);
        this.engine = engineOf(options.loop ?? defaultLoop());
    }
    /** For resolving and TCP. */
    get connectTimeoutMs() {
        return this.#numbers.connectTimeoutMs;
    }
    /** Whether a URL can be connected to with these options. @throws TypeError, RangeError otherwise. */
    check(url) {
        this.#read(url);
    }
    /**
     * Begins to open a WebSocket.
     *
     * @throws TypeError, RangeError as {@linkcode Connector.check}.
     */
    open(url, opener) {
        const { target, route } = this.#read(url);
        const href = typeof url === "string" ? url : url.href;
        const engine = recordedEngine(this.engine, this.#options.record, href);
        const nonce = new Uint8Array(16);
        this.engine.runtime.randomFill(nonce);
        const key = btoa(String.fromCharCode(...nonce));
        const headers = headerEntries(this.#options.headers);
        const isAuthorized = headers.some(([name]) => name.toLowerCase() === "authorization");
        if (target.authorization !== undefined && !isAuthorized) {
            headers.push(["Authorization", target.authorization]);
        }
        const request = writeUpgradeRequest({
            target: target.target,
            host: target.hostHeader,
            key,
            protocols: this.#protocols,
            deflate: this.#settings.compression,
            headers,
        });
        const plan = {
            request,
            key,
            protocols: this.#protocols,
            url: href,
            host: target.host,
            port: target.port,
            data: this.#options.data,
            signal: this.#options.signal,
            socketOptions: route,
            ...this.#numbers,
        };
        const handshake = new ClientHandshake(engine, this.#settings, plan, opener);
        handshake.start();
        return handshake;
    }
    #read(url) {
        const target = parseWebSocketUrl(url);
        const { tls } = this.#options;
        if (!target.secure) {
            refuseTls(tls);
            return { target, route: this.#route };
        }
        // The path of a Unix socket is no name that a certificate could have.
        const name = target.port === 0 ? target.hostHeader : target.host;
        return { target, route: { ...this.#route, tls: readTls(name, tls, this.engine.runtime.environment) } };
    }
}
function headerEntries(given) {
    if (given === undefined)
        return [];
    if (Symbol.iterator in given)
        return [...given];
    return Object.entries(given);
}
