/**
 * Sockets through node:net, for Node and for Deno.
 *
 * On Deno too: Deno.listen and Deno.connect cannot send RST, cannot set the time of keepalive, hold a closed listener's
 * address until a later task, and take a promise for each read and write (measured: 0.55 of node:net's echo rate
 * at 1 KiB, over 100 connections).
 */
import { openServer, openSocket, SocketAddresses } from "./net_endpoint.js";
import { endpointText, lostText, socketFailure } from "./socket_failure.js";
import { connectTls, listenTls } from "./tls_sockets.js";
/** Most bytes handed to Node at once: it tells of progress only when all of them have left. */
const MAX_WRITE_BYTES = 262_144;
/** What is read arrives here, for all clients: it is handled before the next read. */
const READ_BYTES = 65_536;
const readBuffer = new Uint8Array(READ_BYTES);
/** Bytes on their way to the system. Node may go on reading them after `write`; then this becomes another array. */
let staging = Buffer.alloc(READ_BYTES);
/** Copies bytes to where Node may keep them. */
function stage(bytes, start, end) {
    const size = end - start;
    if (staging.length < size)
        staging = Buffer.alloc(MAX_WRITE_BYTES);
    staging.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), 0);
    return staging.subarray(0, size);
}
/** A socket of node:net. */
class NodeSocket {
    pendingBytes = 0;
    handler = undefined;
    #socket;
    #addresses;
    #error = undefined;
    #written = () => {
        if (this.pendingBytes === 0 || this.#socket.writableLength > 0)
            return;
        this.pendingBytes = 0;
        this.handler?.writable();
    };
    constructor(socket, address, isClient) {
        this.#socket = socket;
        this.#addresses = new SocketAddresses(socket, address, isClient);
        socket.on("end", () => this.handler?.ended());
        socket.on("error", (error) => {
            this.#error ??= error;
        });
        socket.on("close", () => {
            const error = this.#error;
            const peer = isClient ? address : undefined;
            this.handler?.closed(error === undefined ? undefined : socketFailure(lostText(peer), error));
        });
    }
    /** Makes what arrives come as events: for accepted sockets, which cannot read into a buffer of ours. */
    readByEvents() {
        this.#socket.on("data", ({ buffer, byteOffset, length }) => {
            // Not a Buffer: its `slice` does not copy, which would surprise those above.
            this.handler?.received(new Uint8Array(buffer, byteOffset, length), 0, length);
        });
    }
    write(bytes, start, end) {
        const socket = this.#socket;
        if (this.pendingBytes > 0 || !socket.writable)
            return 0;
        const size = Math.min(end - start, MAX_WRITE_BYTES);
        socket.write(stage(bytes, start, start + size), this.#written);
        // Mostly the kernel has taken everything by now, and Node is done with the bytes.
        if (socket.writableLength > 0) {
            this.pendingBytes = size;
            staging = Buffer.alloc(READ_BYTES);
        }
        return size;
    }
    pause() {
        this.#socket.pause();
    }
    resume() {
        this.#socket.resume();
    }
    end() {
        this.#socket.end();
    }
    close() {
        this.#socket.destroy();
    }
    abort() {
        const socket = this.#socket;
        // While a shutdown is under way Node refuses to reset (EINVAL), and then never closes the descriptor at all.
        const isEnding = socket.writableEnded && !socket.writableFinished;
        if (!this.#addresses.isUnix && !isEnding)
            socket.resetAndDestroy();
        else
            socket.destroy();
    }
    remoteAddress() {
        return this.#addresses.remote();
    }
    localAddress() {
        return this.#addresses.local();
    }
    tls() {
        return undefined;
    }
}
/** {@link NativeSockets} over node:net and, for those who ask for TLS, node:tls. */
export function netSockets(runtime) {
    return {
        listen: (endpoint, accepted, failed) => endpoint.tls === undefined
            ? listen(runtime, endpoint, accepted, failed)
            : listenTls(runtime, endpoint, endpoint.tls, accepted, failed),
        connect: (endpoint, handler) => endpoint.tls === undefined
            ? connect(runtime, endpoint, handler)
            : connectTls(runtime, endpoint, endpoint.tls, handler),
    };
}
async function listen(runtime, endpoint, accepted, failed) {
    const { server, address } = await openServer(runtime, endpoint, (socket) => {
        const own = new NodeSocket(socket, endpoint.address, false);
        own.handler = accepted(own);
        own.readByEvents();
    }, failed);
    return { address, close: () => void server.close(), updateTls };
}
function updateTls() {
    throw new TypeError("Cannot update TLS: this listener has none");
}
function connect(runtime, endpoint, handler) {
    const { address } = endpoint;
    const action = `Cannot connect to ${endpointText(address)}`;
    const onread = {
        // A function, or Node would want an array for each socket.
        buffer: () => readBuffer,
        callback(size, bytes) {
            handler.received(bytes, 0, size);
            return true;
        },
    };
    const socket = openSocket(runtime, endpoint, action, { onread });
    const own = new NodeSocket(socket, address, true);
    let isOpen = false;
    own.handler = {
        ...pass(handler),
        closed(error) {
            const cause = error?.cause;
            if (isOpen || cause === undefined)
                handler.closed(error);
            else
                handler.closed(socketFailure(action, cause));
        },
    };
    socket.once("connect", () => {
        isOpen = true;
        own.handler = handler;
        handler.opened(own);
    });
    return { giveUp: () => void socket.destroy(), remoteAddress: () => undefined };
}
function pass(handler) {
    return {
        opened: (socket) => handler.opened(socket),
        received: (bytes, start, end) => handler.received(bytes, start, end),
        writable: () => handler.writable(),
        ended: () => handler.ended(),
        closed: (error) => handler.closed(error),
    };
}
