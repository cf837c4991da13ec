/**
 * Settings as the secure contexts of node:tls, which all three runtimes have. Contexts of clients are kept by what their settings
 * say: making one reads a hundred and forty roots.
 */
import { constants, createHash, createHmac, randomBytes } from "node:crypto";
import { createSecureContext, DEFAULT_CIPHERS, rootCertificates, } from "node:tls";
import { checkIdentity, readCertificates } from "./tls_identity.js";
/** Client contexts that are kept. */
const MAX_CONTEXTS = 64;
/** Node's way to say that RSA keys below 2,048 bits and SHA-1 signatures are refused; the others have no such words. */
const SECURITY_LEVEL = "@SECLEVEL=2";
const clients = new Map();
const keys = new WeakMap();
/** A name for what client settings say: equal for equal settings, and telling nothing of them. */
export function settingsKey(settings) {
    let key = keys.get(settings);
    if (key === undefined) {
        key = createHash("sha256").update(JSON.stringify(settings)).digest("base64");
        keys.set(settings, key);
    }
    return key;
}
/** The context of a connecting end. @throws TypeError for certificates and ciphers that do not fit. */
export function clientContext(runtime, settings) {
    const key = settingsKey(settings);
    let context = clients.get(key);
    if (context === undefined) {
        const { identity } = settings;
        if (identity !== undefined)
            checkIdentity("the client", identity);
        const options = { ...commonOptions(runtime, settings), ...identityOptions(identity) };
        context = trusting(options, settings.ca);
    }
    // The last one used goes last, the first one goes first.
    clients.delete(key);
    clients.set(key, context);
    if (clients.size > MAX_CONTEXTS) {
        for (const first of clients.keys()) {
            clients.delete(first);
            break;
        }
    }
    return context;
}
/**
 * A context that trusts `ca` besides what the runtime trusts; the option of that name makes it trust `ca` alone. What is behind that
 * option adds instead, on all three runtimes, and costs nothing; to give it all the roots costs 25 ms a context on Node, and 50 ms a
 * handshake on Deno.
 */
function trusting(options, ca) {
    if (ca.length === 0)
        return openContext(options);
    const secure = openContext(options);
    const { context } = secure;
    if (typeof context?.addCACert !== "function") {
        return openContext({ ...options, ca: [...rootCertificates, ...ca] });
    }
    for (const pem of ca) {
        for (const certificate of readCertificates("ca", pem))
            context.addCACert(certificate.toString());
    }
    return secure;
}
/** Contexts of a listening end: one for all names that have none of their own. */
export class ServerContexts {
    settings;
    main;
    #names;
    /** @param ticketSecret - Of the listener. @throws TypeError for certificates and ciphers that do not fit. */
    constructor(runtime, settings, ticketSecret) {
        this.settings = settings;
        checkIdentity("the server", settings.identity);
        for (const [name, identity] of settings.names)
            checkIdentity(JSON.stringify(name), identity);
        const options = {
            ...commonOptions(runtime, settings),
            honorCipherOrder: true,
            // Sessions of clients with certificates are bound to this.
            sessionIdContext: "ringwire",
            ticketKeys: ticketKeys(ticketSecret, settings),
            ...(settings.clientCertificate !== "none" && { ca: [...settings.ca] }),
        };
        const open = (identity) => openContext({ ...options, ...identityOptions(identity) });
        this.main = open(settings.identity);
        this.#names = new Map(settings.names.map(([name, identity]) => [name.toLowerCase(), open(identity)]));
    }
    get hasNames() {
        return this.#names.size > 0;
    }
    /** The context for a server name (SNI): its own, or one of a wildcard, which stands for one label. */
    find(servername) {
        const name = servername.toLowerCase();
        const dot = name.indexOf(".");
        const wildcard = dot > 0 ? this.#names.get(`*${name.slice(dot)}`) : undefined;
        return this.#names.get(name) ?? wildcard ?? this.main;
    }
}
/** A new listener's secret for its session tickets. */
export function newTicketSecret() {
    return randomBytes(48);
}
/**
 * Tickets outlive `updateTls`, unless clients are trusted differently from then on: a ticket says that its client was verified, not by
 * whom.
 */
function ticketKeys(secret, { clientCertificate, ca, pins }) {
    return createHmac("sha384", secret)
        .update(JSON.stringify([clientCertificate, ca, pins]))
        .digest();
}
function identityOptions(identity) {
    if (identity === undefined)
        return {};
    const { cert, key, passphrase } = identity;
    return { cert, key, ...(passphrase !== undefined && { passphrase }) };
}
function commonOptions(runtime, settings) {
    for (const ca of settings.ca)
        readCertificates("ca", ca);
    const ciphers = cipherList(runtime, settings);
    // Sessions with pins begin before JavaScript has seen the client's certificate: without tickets none can be used again.
    const isRisky = settings.role === "server" && settings.pins.length > 0;
    const wantsTickets = settings.sessionResumption !== false && !isRisky;
    return {
        minVersion: settings.minVersion,
        maxVersion: settings.maxVersion,
        ...(ciphers !== undefined && { ciphers }),
        // BoringSSL and rustls know no such options, and never let a client renegotiate.
        secureOptions: constants.SSL_OP_NO_RENEGOTIATION | (wantsTickets ? 0 : constants.SSL_OP_NO_TICKET),
    };
}
/** TLS 1.2 ciphers and TLS 1.3 suites in one list, as node:tls takes them. */
function cipherList(runtime, { ciphers, cipherSuites }) {
    if (runtime !== "Node")
        return ciphers;
    const list = ciphers === undefined && cipherSuites === undefined ? [DEFAULT_CIPHERS] : [cipherSuites, ciphers];
    const text = list.filter((each) => each !== undefined).join(":");
    // Only where there are TLS 1.2 ciphers at all: it is one of them, for Node.
    const hasOld = ciphers !== undefined || cipherSuites === undefined;
    return hasOld && !text.includes("@SECLEVEL") ? `${text}:${SECURITY_LEVEL}` : text;
}
function openContext(options) {
    try {
        return createSecureContext(options);
    }
    catch (cause) {
        const { code, message } = cause;
        // OpenSSL's reasons: `error:0A0000B9:SSL routines::no cipher match`.
        const reason = typeof message === "string" ? message.replace(/^.*:/s, "") : String(code);
        throw new TypeError(`Cannot use these TLS settings: ${reason.toLowerCase().replaceAll("_", " ")}`, {
            cause,
        });
    }
}
