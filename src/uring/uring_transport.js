/** {@link Transport} over io_uring: opens the pieces, and keeps them together. */
import { RingwireError } from "../errors.js";
import { Dispatcher } from "./dispatcher.js";
import { Driver } from "./driver.js";
import { addressText, readAddress, writeConnectEndpoint, writeListenEndpoint } from "./endpoint.js";
import { socketError } from "./errno.js";
import * as layout from "./layout.js";
import { Ring } from "./ring.js";
import { openShim } from "./shim.js";
import { ShimCodec } from "./shim_codec.js";
import { THRESHOLDS } from "./thresholds.js";
import { TlsContexts } from "./tls_contexts.js";
import { UringConnection } from "./uring_connection.js";
import { UringKernels } from "./uring_kernels.js";
import { UringListener } from "./uring_listener.js";
/**
 * Opens a transport over io_uring.
 *
 * @throws RingwireError `ERR_TRANSPORT_UNAVAILABLE` when the system does not give io_uring; the message says why.
 * @throws RingwireError `ERR_LIBRARY` when the shim is missing or does not fit.
 * @throws RangeError when the arenas are too small or too large.
 */
export function openUringTransport(options) {
    const { runtime, limits } = options;
    if (runtime.platform !== "linux") {
        throw new RingwireError("ERR_TRANSPORT_UNAVAILABLE", `Cannot use io_uring: io_uring needs Linux, this is ${runtime.platform}`);
    }
    const shim = openShim(runtime, options.library);
    const ring = Ring.open(shim, limits, options.disabledFeatures ?? 0);
    return new UringTransport(ring, shim, options);
}
/** Sentinel of `poll`: longer waits than rw_turn can count are endless. */
const MAX_WAIT_US = 2 ** 31 - 1;
class UringTransport {
    kind = "uring";
    canPoll = true;
    kernels;
    #ring;
    #dispatcher;
    #driver;
    #found;
    #contexts;
    #openCodec;
    #codec = undefined;
    constructor(ring, shim, options) {
        this.#ring = ring;
        this.#found = ring.text();
        this.#contexts = new TlsContexts(shim, () => options.runtime.rootCertificates());
        this.#openCodec = () => new ShimCodec(shim);
        this.kernels = new UringKernels(ring, shim, THRESHOLDS[options.runtime.name]);
        const dispatcher = new Dispatcher(ring, () => this.#driver.touch(), (isAlive) => this.#driver.setAlive(isAlive));
        this.#dispatcher = dispatcher;
        this.#driver = new Driver(options.runtime, ring, dispatcher, options, (error) => this.#broken(error));
        this.#driver.start((ring.features & layout.FEATURE_PARKING) !== 0);
    }
    get reason() {
        const lost = this.#driver.noParkReason;
        return lost === undefined
            ? this.#found
            : `${this.#found}; cannot sleep, looks every millisecond: ${lost}`;
    }
    get codec() {
        this.#codec ??= this.#openCodec();
        return this.#codec;
    }
    async listen(endpoint, handler) {
        const action = `Cannot listen on ${addressText(endpoint.address)}`;
        this.#checkOpen(action);
        const context = endpoint.tls === undefined ? 0 : this.#contexts.server(endpoint.tls);
        let result = -1;
        try {
            writeListenEndpoint(this.#ring.bytes, endpoint, context);
            result = this.#ring.listen();
        }
        finally {
            if (result < 0)
                this.#contexts.closeServer(context);
        }
        if (result < 0)
            throw socketError(action, -result);
        const handle = this.#ring.newHandle;
        const isUnix = endpoint.address.family === "unix";
        const text = this.#ring.address(handle, layout.ADDRESS_LOCAL);
        const address = text === undefined || isUnix ? endpoint.address : readAddress(text, false);
        const listener = new UringListener(handle, address, handler, (closing) => {
            this.#ring.unlisten(closing.handle);
            this.#contexts.closeServer(context);
            this.#dispatcher.removeListener(closing);
        }, context === 0 ? undefined : (settings) => this.#contexts.updateServer(context, settings));
        this.#dispatcher.addListener(listener);
        this.#dispatcher.touch();
        return listener;
    }
    connect(endpoint, handler) {
        const { address } = endpoint;
        this.#checkOpen(`Cannot connect to ${addressText(address)}`);
        const context = endpoint.tls === undefined ? 0 : this.#contexts.client(endpoint.tls);
        writeConnectEndpoint(this.#ring.bytes, endpoint, context);
        const result = this.#ring.connect();
        if (result < 0)
            throw socketError(`Cannot connect to ${addressText(address)}`, -result);
        const handle = this.#ring.newHandle;
        const isUnix = address.family === "unix";
        const connection = new UringConnection(this.#ring, this.#dispatcher, handle, handler, isUnix, address);
        this.#dispatcher.addConnection(connection);
        this.#dispatcher.touch();
        return connection;
    }
    flush() {
        if (!this.#ring.isOpen || this.#ring.commandCount === 0)
            return;
        this.#dispatcher.flush();
        this.#dispatcher.touch();
    }
    poll(waitUs) {
        if (this.#dispatcher.isHandling) {
            throw new RingwireError("ERR_DRIVE_UNAVAILABLE", "Cannot poll from inside a handler; return from it first");
        }
        this.#checkOpen("Cannot poll");
        const count = this.#dispatcher.takeTurn(false, waitUs > MAX_WAIT_US ? -1 : Math.max(0, Math.ceil(waitUs)));
        // What the handlers committed leaves now; what that brings is handled next time.
        if (this.#ring.commandCount > 0)
            this.#dispatcher.flush();
        this.#dispatcher.touch();
        return count;
    }
    stats() {
        return {
            connections: this.#dispatcher.connectionCount,
            turns: this.#ring.field(layout.FIELD_STAT_TURNS),
            enters: this.#ring.field(layout.FIELD_STAT_ENTERS),
            shortSends: this.#ring.field(layout.FIELD_STAT_SHORT_SENDS),
            noBuffers: this.#ring.field(layout.FIELD_STAT_NO_BUFFERS),
            parks: this.#ring.field(layout.FIELD_STAT_PARKS),
            handshakes: this.#ring.field(layout.FIELD_STAT_HANDSHAKES),
            resumptions: this.#ring.field(layout.FIELD_STAT_RESUMPTIONS),
        };
    }
    close() {
        this.#close(undefined);
    }
    /** The system no longer takes turns of this ring: every connection learns it. */
    #broken(error) {
        this.#close(error instanceof RingwireError
            ? error
            : new RingwireError("ERR_SYSTEM", "Lost the ring", { cause: error }));
    }
    #close(error) {
        if (!this.#ring.isOpen)
            return;
        this.#driver.close();
        this.#ring.close();
        this.#dispatcher.close(error);
        this.#contexts.close();
        this.#codec?.close();
    }
    #checkOpen(action) {
        if (!this.#ring.isOpen)
            throw new RingwireError("ERR_NOT_OPEN", `${action}: the loop is closed`);
    }
}
