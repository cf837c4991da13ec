/** Listening and connecting through node:net, before anything is said of what goes over the socket. */
import { connect, createServer, } from "node:net";
import { systemError } from "../errors.js";
import { ipAddress, unixAddress } from "./native_address.js";
import { checkEndpoint, endpointText, socketFailure } from "./socket_failure.js";
const DEFAULT_BACKLOG = 1_024;
function socketOptions(options) {
    const { noDelay = true, keepAliveMs = 0 } = options;
    return { allowHalfOpen: true, noDelay, keepAlive: keepAliveMs > 0, keepAliveInitialDelay: keepAliveMs };
}
/** Binds and listens. Rejects with a RingwireError when the system refuses. */
export async function openServer(runtime, endpoint, connected, failed) {
    checkEndpoint(runtime.name, endpoint, runtime.lacking);
    const { address, backlog = DEFAULT_BACKLOG, reusePort = false, ipv6Only = false } = endpoint;
    const action = `Cannot listen on ${endpointText(address)}`;
    runtime.checkPermission(action, address);
    const server = createServer(socketOptions(endpoint), connected);
    const target = address.family === "unix"
        ? { path: address.host, backlog }
        : { host: address.host, port: address.port, backlog, ipv6Only, ...(reusePort && { reusePort }) };
    await new Promise((resolve, reject) => {
        const refuse = (error) => {
            const meaning = runtime.bindErrors[error.code ?? ""];
            reject(meaning === undefined ? socketFailure(action, error) : systemError(action, meaning, error));
        };
        server.once("error", refuse);
        server.listen(target, () => {
            server.removeListener("error", refuse);
            resolve();
        });
    });
    server.on("error", (error) => failed(socketFailure("Cannot accept a connection", error)));
    const port = address.family === "unix" ? address.port : server.address().port;
    return { server, address: { ...address, port } };
}
/** Begins to connect. @throws RingwireError, RangeError for options that cannot be honoured. */
export function openSocket(runtime, endpoint, action, more = {}) {
    checkEndpoint(runtime.name, endpoint, runtime.lacking);
    const { address, localAddress } = endpoint;
    runtime.checkPermission(action, address);
    const target = address.family === "unix"
        ? { path: address.host }
        : { host: address.host, port: address.port, ...(localAddress !== undefined && { localAddress }) };
    return connect({ ...target, ...socketOptions(endpoint), ...more });
}
/** Both addresses of a socket. */
export class SocketAddresses {
    #socket;
    #path;
    #isClient;
    constructor(socket, address, isClient) {
        this.#socket = socket;
        this.#path = address.family === "unix" ? address.host : undefined;
        this.#isClient = isClient;
    }
    get isUnix() {
        return this.#path !== undefined;
    }
    remote() {
        if (this.#path !== undefined)
            return unixAddress(this.#isClient ? this.#path : "");
        const { remoteAddress, remotePort, remoteFamily } = this.#socket;
        return ipAddress(remoteAddress, remotePort, remoteFamily);
    }
    local() {
        if (this.#path !== undefined)
            return unixAddress(this.#isClient ? "" : this.#path);
        const { localAddress, localPort, localFamily } = this.#socket;
        return ipAddress(localAddress, localPort, localFamily);
    }
}
