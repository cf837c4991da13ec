/**
 * TLS contexts of one transport: settings become contexts of OpenSSL. A client's are found again by what their settings say, so that
 * sessions resume although the program keeps no object between two connects.
 */
import { RingwireError, systemError } from "../errors.js";
import { errnoName } from "./errno.js";
import * as layout from "./layout.js";
import { tlsConfig } from "./tls_config.js";
/** Client contexts kept for the next connect; the one not used for longest goes first, with the sessions it remembers. */
const KEPT_CONTEXTS = 64;
const TEXT_BYTES = 512;
const ENOENT = 2;
const EINVAL = 22;
const EMFILE = 24;
const decoder = new TextDecoder();
/** See the top of this file. */
export class TlsContexts {
    #shim;
    #runtimeRoots;
    /** By what their settings say; the one used last stands last. */
    #clients = new Map();
    #servers = new Set();
    #text = new Uint8Array(TEXT_BYTES);
    /** @param runtimeRoots - Whom the runtime trusts, PEM, for systems that have no authorities. */
    constructor(shim, runtimeRoots) {
        this.#shim = shim;
        this.#runtimeRoots = runtimeRoots;
    }
    /**
     * The context of a client, for `tls_context` of its endpoint. Good for one connect: a later one may close it.
     *
     * @throws TypeError for certificates and ciphers that OpenSSL does not take.
     */
    client(settings) {
        const key = keyOf(settings);
        let context = this.#clients.get(key);
        if (context === undefined) {
            context = this.#open(layout.TLS_CLIENT, settings);
            this.#dropOldest();
        }
        else {
            this.#clients.delete(key);
        }
        this.#clients.set(key, context);
        return context;
    }
    /** A context for one listener, which it updates and closes. @throws TypeError as {@link TlsContexts.client}. */
    server(settings) {
        const context = this.#open(layout.TLS_SERVER, settings);
        this.#servers.add(context);
        return context;
    }
    /** Other settings for handshakes from now on. @throws TypeError as {@link TlsContexts.client}; the old ones stay then. */
    updateServer(context, settings) {
        if (!this.#servers.has(context))
            throw new TypeError("Cannot update TLS: the listener is closed");
        const result = this.#configure(settings, (config) => this.#shim.rw_tls_update(context, config, config.length, this.#text, TEXT_BYTES));
        if (result < 0)
            throw this.#error(result);
    }
    /** For a listener that closes. Handshakes that have begun keep what they need of it. */
    closeServer(context) {
        if (this.#servers.delete(context))
            this.#shim.rw_tls_close(context);
    }
    close() {
        for (const context of [...this.#clients.values(), ...this.#servers])
            this.#shim.rw_tls_close(context);
        this.#clients.clear();
        this.#servers.clear();
    }
    #open(role, settings) {
        const result = this.#configure(settings, (config) => this.#shim.rw_tls_open(role, config, config.length, this.#text, TEXT_BYTES));
        if (result < 0)
            throw this.#error(result);
        return result;
    }
    #configure(settings, call) {
        const attempt = (wanted, roots) => {
            const config = tlsConfig(wanted, roots);
            this.#text.fill(0);
            const result = call(config);
            config.fill(0);
            return result;
        };
        const configure = (wanted) => {
            const result = attempt(wanted);
            // The system has no authorities: a container image without ca-certificates, for instance.
            return result === -ENOENT ? attempt(wanted, this.#runtimeRoots()) : result;
        };
        const result = configure(settings);
        const isKeyLogFromEnvironment = settings.keyLogFile !== undefined && !settings.isKeyLogAsked;
        // A key log that cannot be written must not cost connections of programs that have not asked for one.
        return result === -EINVAL && isKeyLogFromEnvironment
            ? configure({ ...settings, keyLogFile: undefined })
            : result;
    }
    #dropOldest() {
        if (this.#clients.size < KEPT_CONTEXTS)
            return;
        for (const [key, context] of this.#clients) {
            this.#clients.delete(key);
            this.#shim.rw_tls_close(context);
            return;
        }
    }
    #error(result) {
        const end = this.#text.indexOf(0);
        const reason = decoder.decode(this.#text.subarray(0, end < 0 ? TEXT_BYTES : end));
        if (result === -EINVAL)
            return new TypeError(`Cannot use the option "tls": ${reason || "OpenSSL refuses it"}`);
        if (result === -EMFILE) {
            return new RingwireError("ERR_OUT_OF_MEMORY", "Cannot set up TLS: 4,095 TLS contexts are open, which is the limit");
        }
        return systemError("Cannot set up TLS", errnoName(-result));
    }
}
/** What makes two clients' contexts the same: all but the name, which each connection brings, and the deadline. */
function keyOf(settings) {
    const { servername: _name, handshakeTimeoutMs: _deadline, isKeyLogAsked: _asked, ...rest } = settings;
    return JSON.stringify(rest);
}
