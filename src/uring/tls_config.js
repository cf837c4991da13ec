/** Settings of TLS as the row of records that `rw_tls_open` takes. */
import * as layout from "./layout.js";
const VERSIONS = { "TLSv1.2": 0x0303, "TLSv1.3": 0x0304 };
const RECORD_HEAD_BYTES = 8;
const encoder = new TextEncoder();
/**
 * A configuration for C. It holds private keys: whoever has used it overwrites it.
 *
 * @param roots - Whom to trust instead of the system's authorities, PEM; undefined: those. Clients only.
 */
export function tlsConfig(settings, roots) {
    const records = [];
    const add = (kind, text) => void records.push([kind, encoder.encode(text)]);
    const addWords = (kind, ...words) => void records.push([kind, new Uint8Array(Uint32Array.from(words).buffer)]);
    const addIdentity = ({ cert, key, passphrase }) => {
        add(layout.TLS_CERTIFICATE, cert);
        add(layout.TLS_KEY, key);
        if (passphrase !== undefined)
            add(layout.TLS_PASSPHRASE, passphrase);
    };
    addWords(layout.TLS_FLAGS, flagsOf(settings, roots === undefined));
    addWords(layout.TLS_VERSIONS, VERSIONS[settings.minVersion], VERSIONS[settings.maxVersion]);
    if (settings.identity !== undefined)
        addIdentity(settings.identity);
    for (const pem of [...settings.ca, ...(roots ?? [])])
        add(layout.TLS_AUTHORITY, pem);
    if (settings.alpnProtocols.length > 0) {
        records.push([layout.TLS_ALPN, protocolList(settings.alpnProtocols)]);
    }
    if (settings.ciphers !== undefined)
        add(layout.TLS_CIPHERS, settings.ciphers);
    if (settings.cipherSuites !== undefined)
        add(layout.TLS_CIPHER_SUITES, settings.cipherSuites);
    for (const pin of settings.pins)
        records.push([layout.TLS_PIN, bytesOfHex(pin)]);
    if (settings.keyLogFile !== undefined)
        add(layout.TLS_KEY_LOG, settings.keyLogFile);
    if (settings.role === "server") {
        // Last: a certificate behind a name is that name's.
        for (const [name, identity] of settings.names) {
            add(layout.TLS_NAME, name);
            addIdentity(identity);
        }
    }
    return join(records);
}
function flagsOf(settings, hasSystemRoots) {
    const isClient = settings.role === "client";
    const resumes = settings.sessionResumption !== false;
    let flags = resumes ? layout.TLS_RESUME : 0;
    if (isClient) {
        if (settings.rejectUnauthorized) {
            flags |= layout.TLS_VERIFY | (hasSystemRoots ? layout.TLS_SYSTEM_ROOTS : 0);
        }
    }
    else if (settings.clientCertificate !== "none") {
        flags |= layout.TLS_VERIFY | (settings.clientCertificate === "require" ? layout.TLS_REQUIRE : 0);
    }
    if (settings.ktls === false)
        return flags;
    // Tickets of TLS 1.3 come after the handshake, and the kernel does not hand them to OpenSSL: who receives by it cannot resume.
    const receives = !isClient || settings.ktls === true || !resumes;
    return flags | layout.TLS_KERNEL_SEND | (receives ? layout.TLS_KERNEL_RECEIVE : 0);
}
/** Names behind their lengths (RFC 7301 §3.1). */
function protocolList(names) {
    const bytes = [];
    for (const name of names) {
        const encoded = encoder.encode(name);
        bytes.push(encoded.length, ...encoded);
    }
    return Uint8Array.from(bytes);
}
function bytesOfHex(hex) {
    const bytes = new Uint8Array(hex.length / 2);
    for (let index = 0; index < bytes.length; index++) {
        bytes[index] = Number.parseInt(hex.slice(2 * index, 2 * index + 2), 16);
    }
    return bytes;
}
/** Kind, length, bytes, and what is missing to a multiple of four. */
function join(records) {
    const paddedBytes = (bytes) => (bytes.length + 3) & ~3;
    const total = records.reduce((sum, [, bytes]) => sum + RECORD_HEAD_BYTES + paddedBytes(bytes), 0);
    const config = new Uint8Array(total);
    const words = new Uint32Array(config.buffer);
    let at = 0;
    for (const [kind, bytes] of records) {
        words[at >>> 2] = kind;
        words[(at >>> 2) + 1] = bytes.length;
        config.set(bytes, at + RECORD_HEAD_BYTES);
        // What was encoded may be a key.
        bytes.fill(0);
        at += RECORD_HEAD_BYTES + paddedBytes(bytes);
    }
    return config;
}
