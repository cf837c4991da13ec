/** Bun's own sockets: Bun.listen and Bun.connect. */
import { ipAddress, unixAddress } from "../native_address.js";
import { checkEndpoint, endpointText, lostText, socketFailure } from "../socket_failure.js";
import { connectTls, listenTls } from "../tls_sockets.js";
import { bun } from "./bun.js";
/** A Bun socket. Bun's `write` is synchronous and takes what the kernel takes, so nothing is ever pending. */
class BunSocket {
    pendingBytes = 0;
    handler;
    #socket;
    /** The address of a Unix socket, which Bun does not tell. */
    #path;
    #isClient;
    /** Whether `ended` was called, or does not matter any more. */
    hasEnded = false;
    /** @param accepted - Gives the handler of an accepted socket; a client's handler is given as it is. */
    constructor(socket, endpoint, handler) {
        this.#socket = socket;
        this.#path = endpoint.address.family === "unix" ? endpoint.address.host : undefined;
        this.#isClient = typeof handler !== "function";
        if (this.#path === undefined)
            setOptions(socket, endpoint);
        this.handler = typeof handler === "function" ? handler(this) : handler;
    }
    write(bytes, start, end) {
        // -1: closed, `close` follows.
        return Math.max(0, this.#socket.write(bytes, start, end - start));
    }
    pause() {
        this.#socket.pause();
    }
    resume() {
        this.#socket.resume();
    }
    end() {
        // `end` would close both directions, whatever allowHalfOpen says.
        this.#socket.shutdown();
    }
    close() {
        this.hasEnded = true;
        this.#socket.end();
    }
    abort() {
        this.hasEnded = true;
        this.#socket.terminate();
    }
    remoteAddress() {
        if (this.#path !== undefined)
            return unixAddress(this.#isClient ? this.#path : "");
        const { remoteAddress, remotePort, remoteFamily } = this.#socket;
        return ipAddress(remoteAddress, remotePort, remoteFamily);
    }
    localAddress() {
        if (this.#path !== undefined)
            return unixAddress(this.#isClient ? "" : this.#path);
        const { localAddress, localPort, localFamily } = this.#socket;
        return ipAddress(localAddress, localPort, localFamily);
    }
    tls() {
        return undefined;
    }
    /** What was lost, for messages. */
    lost() {
        return lostText(this.remoteAddress());
    }
}
function setOptions(socket, options) {
    // Bun itself switches TCP_NODELAY on.
    if (options.noDelay === false)
        socket.setNoDelay(false);
    if (options.keepAliveMs !== undefined && options.keepAliveMs > 0) {
        socket.setKeepAlive(true, options.keepAliveMs);
    }
}
/** The callbacks that both ends share. */
const EVENTS = {
    binaryType: "uint8array",
    data(socket, bytes) {
        socket.data.handler.received(bytes, 0, bytes.length);
    },
    drain(socket) {
        socket.data.handler.writable();
    },
    end(socket) {
        socket.data.hasEnded = true;
        socket.data.handler.ended();
    },
    close(socket, error) {
        // A socket that was given up before it opened has no data.
        const own = socket.data;
        if (own === undefined)
            return;
        // When our FIN went first, Bun answers the peer's by closing, without a word of it.
        if (error === undefined && !own.hasEnded)
            own.handler.ended();
        own.handler.closed(error === undefined ? undefined : socketFailure(own.lost(), error));
    },
    error(_socket, error) {
        // Handlers catch everything, and the system's errors come with `close`: this is a bug of ours.
        setImmediate(() => {
            throw error;
        });
    },
};
/** TLS goes over Bun's node:net. What Bun's own sockets refuse is refused there too. */
const NET = {
    name: "Bun",
    lacking: ["backlog", "localAddress"],
    bindErrors: {},
    checkPermission() { },
    tls: { resetsTls: true, verifiesLate: true },
};
/** {@link NativeSockets} of Bun. */
export const sockets = {
    listen(endpoint, accepted, failed) {
        if (endpoint.tls !== undefined)
            return listenTls(NET, endpoint, endpoint.tls, accepted, failed);
        return new Promise((resolve) => resolve(listen(endpoint, accepted)));
    },
    connect: (endpoint, handler) => endpoint.tls === undefined
        ? connect(endpoint, handler)
        : connectTls(NET, endpoint, endpoint.tls, handler),
};
function listen(endpoint, accepted) {
    checkEndpoint("Bun", endpoint, ["backlog"]);
    const { address } = endpoint;
    const socket = {
        ...EVENTS,
        open(opened) {
            opened.data = new BunSocket(opened, endpoint, accepted);
        },
    };
    try {
        if (address.family === "unix") {
            const listener = bun.listen({ unix: address.host, allowHalfOpen: true, socket });
            return { address, close: () => listener.stop(false), updateTls };
        }
        const { reusePort = false, ipv6Only = false } = endpoint;
        const options = {
            hostname: address.host,
            port: address.port,
            allowHalfOpen: true,
            reusePort,
            ipv6Only,
            socket,
        };
        const listener = bun.listen(options);
        return { address: { ...address, port: listener.port }, close: () => listener.stop(false), updateTls };
    }
    catch (error) {
        throw socketFailure(`Cannot listen on ${endpointText(address)}`, error);
    }
}
function updateTls() {
    throw new TypeError("Cannot update TLS: this listener has none");
}
function connect(endpoint, handler) {
    checkEndpoint("Bun", endpoint, ["localAddress"]);
    const { address } = endpoint;
    let isSettled = false;
    const fail = (error) => {
        if (isSettled)
            return;
        isSettled = true;
        const failure = socketFailure(`Cannot connect to ${endpointText(address)}`, error);
        handler.closed(failure);
    };
    const socket = {
        ...EVENTS,
        open(opened) {
            if (isSettled) {
                opened.terminate();
                return;
            }
            isSettled = true;
            opened.data = new BunSocket(opened, endpoint, handler);
            handler.opened(opened.data);
        },
        connectError(_socket, error) {
            fail(error);
        },
    };
    const target = address.family === "unix" ? { unix: address.host } : { hostname: address.host, port: address.port };
    const options = { ...target, allowHalfOpen: true, socket };
    // Its errors come twice: to `connectError`, and as a rejection.
    const connecting = new Promise((resolve) => resolve(bun.connect(options)));
    connecting.catch(fail);
    return {
        giveUp() {
            // Bun cannot give up a connect: the socket is dropped once it has opened.
            isSettled = true;
        },
        remoteAddress: () => undefined,
    };
}
