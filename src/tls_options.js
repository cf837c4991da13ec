/**
 * The `tls` option of `connect` and `serve`: one set of names for OpenSSL in the shim and for the runtimes' own TLS. Here it becomes
 * settings that every transport takes; what is wrong is refused at once, and no message ever quotes a key or a passphrase.
 */
import { checkKnown, readChoice, readFlag, readNumbers } from "./options.js";
/** Numbers of {@linkcode TlsOptions}. */
export const TLS_NUMBERS = {
    handshakeTimeoutMs: { default: 10_000, min: 1, max: 2_147_483_647 },
};
const COMMON_NAMES = [
    ...Object.keys(TLS_NUMBERS),
    "ca",
    "alpnProtocols",
    "minVersion",
    "maxVersion",
    "ciphers",
    "pins",
    "sessionResumption",
    "keyLogFile",
    "ktls",
];
const CERTIFICATE_NAMES = ["cert", "key", "passphrase"];
const CLIENT_NAMES = [
    ...COMMON_NAMES,
    ...CERTIFICATE_NAMES,
    "servername",
    "rejectUnauthorized",
];
const SERVER_NAMES = [...COMMON_NAMES, ...CERTIFICATE_NAMES, "clientCertificate", "sni"];
const VERSIONS = ["TLSv1.2", "TLSv1.3"];
const MAX_PROTOCOL_BYTES = 255;
/** What one extension can hold (RFC 7301 §3.1). */
const MAX_PROTOCOLS_BYTES = 65_535;
const PIN_BYTES = 32;
/** RFC 1035 §2.3.4, as text. */
const MAX_NAME_BYTES = 253;
const encoder = new TextEncoder();
/**
 * Checks the `tls` option of a client.
 *
 * @param host - The URL's host, which the server must prove to be.
 * @throws TypeError, RangeError for what is unknown, missing or wrong.
 */
export function readClientTls(given, host, environment) {
    const where = "tls of connect";
    checkKnown(where, given, CLIENT_NAMES);
    const hasCertificate = given.cert !== undefined || given.key !== undefined;
    if (!hasCertificate && given.passphrase !== undefined) {
        throw new TypeError(`Option "passphrase" of ${where} needs "cert" and "key"`);
    }
    return {
        role: "client",
        ...readCommon(where, given, environment),
        identity: hasCertificate ? readIdentity(where, given) : undefined,
        servername: readServername(where, given.servername ?? host),
        rejectUnauthorized: readFlag("rejectUnauthorized", given.rejectUnauthorized, true),
    };
}
/** Checks the `tls` option of a server. @throws TypeError, RangeError for what is unknown, missing or wrong. */
export function readServerTls(given, environment) {
    const where = "tls of serve";
    checkKnown(where, given, SERVER_NAMES);
    const clientCertificate = readChoice("clientCertificate", given.clientCertificate, ["none", "request", "require"], "none");
    if (clientCertificate !== "none" && given.ca === undefined) {
        // A server that trusted every public authority would let in whoever has any certificate at all.
        throw new TypeError(`Option "clientCertificate" of ${where} needs "ca": who vouches for clients`);
    }
    return {
        role: "server",
        ...readCommon(where, given, environment),
        identity: readIdentity(where, given),
        names: readNames(where, given.sni),
        clientCertificate,
    };
}
function readCommon(where, given, environment) {
    const asked = given.keyLogFile;
    if (asked !== undefined && (typeof asked !== "string" || asked === "")) {
        throw new TypeError(`Option "keyLogFile" of ${where} must be the path of a file`);
    }
    return {
        ...readNumbers(where, given, TLS_NUMBERS),
        ...readVersions(where, given),
        ca: readAuthorities(where, given.ca),
        alpnProtocols: readProtocols(where, given.alpnProtocols),
        pins: readPins(where, given.pins),
        sessionResumption: readOptionalFlag("sessionResumption", given.sessionResumption),
        keyLogFile: asked ?? (environment("SSLKEYLOGFILE") || undefined),
        isKeyLogAsked: asked !== undefined,
        ktls: readOptionalFlag("ktls", given.ktls),
    };
}
function readOptionalFlag(name, value) {
    return value === undefined ? undefined : readFlag(name, value, false);
}
/**
 * Versions and ciphers belong together: who lists ciphers of one version only does not want the other one, which the library would else
 * add with ciphers of its own.
 */
function readVersions(where, given) {
    let minVersion = readChoice("minVersion", given.minVersion, VERSIONS, "TLSv1.2");
    let maxVersion = readChoice("maxVersion", given.maxVersion, VERSIONS, "TLSv1.3");
    if (minVersion > maxVersion) {
        throw new RangeError(`Option "minVersion" of ${where} (${minVersion}) must not be above "maxVersion" (${maxVersion})`);
    }
    if (given.ciphers === undefined) {
        return { minVersion, maxVersion, ciphers: undefined, cipherSuites: undefined };
    }
    const names = readCiphers(where, given.ciphers);
    const suites = names.filter((name) => name.startsWith("TLS_"));
    const ciphers = names.filter((name) => !name.startsWith("TLS_"));
    if (suites.length === 0)
        maxVersion = "TLSv1.2";
    if (ciphers.length === 0)
        minVersion = "TLSv1.3";
    if (minVersion > maxVersion) {
        throw new TypeError(`Option "ciphers" of ${where} has none for ${minVersion === "TLSv1.3" && suites.length === 0 ? "TLSv1.3, whose names begin with TLS_" : "TLSv1.2"}`);
    }
    return {
        minVersion,
        maxVersion,
        // Without a certificate or without encryption it would be TLS by name only, whatever list asks for it.
        ciphers: ciphers.length === 0 ? undefined : [...ciphers, "!aNULL", "!eNULL"].join(":"),
        cipherSuites: suites.length === 0 ? undefined : suites.join(":"),
    };
}
function readCiphers(where, given) {
    if (typeof given !== "string" || !/^[\w:+!\-@=., ]+$/.test(given)) {
        throw new TypeError(`Option "ciphers" of ${where} must be a list as OpenSSL has it, such as "TLS_AES_128_GCM_SHA256:ECDHE-RSA-AES128-GCM-SHA256", not ${JSON.stringify(given)}`);
    }
    return given.split(/[:, ]/).filter((name) => name !== "");
}
function readProtocols(where, given) {
    if (given === undefined)
        return ["http/1.1"];
    const isRight = Array.isArray(given) && given.every((each) => typeof each === "string");
    const sizes = isRight ? given.map((each) => encoder.encode(each).length) : [];
    const total = sizes.reduce((sum, size) => sum + size + 1, 0);
    if (!isRight ||
        total > MAX_PROTOCOLS_BYTES ||
        sizes.some((size) => size === 0 || size > MAX_PROTOCOL_BYTES)) {
        throw new TypeError(`Option "alpnProtocols" of ${where} must be a list of names of 1 to ${MAX_PROTOCOL_BYTES} bytes, such as ["http/1.1"]`);
    }
    return [...given];
}
/** Pins as hexadecimal: whoever compares them gets hexadecimal from every library. */
function readPins(where, given) {
    if (given === undefined)
        return [];
    const list = Array.isArray(given) ? given : [given];
    return list.map((pin) => {
        const hex = typeof pin === "string" ? pinToHex(pin) : undefined;
        if (hex === undefined) {
            throw new TypeError(`Option "pins" of ${where} must be SHA-256 of public keys in base64, such as "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", not ${JSON.stringify(pin)}`);
        }
        return hex;
    });
}
function pinToHex(pin) {
    let bytes;
    try {
        bytes = atob(pin.startsWith("sha256/") ? pin.slice("sha256/".length) : pin);
    }
    catch {
        return undefined;
    }
    if (bytes.length !== PIN_BYTES)
        return undefined;
    return [...bytes].map((byte) => byte.charCodeAt(0).toString(16).padStart(2, "0")).join("");
}
function readAuthorities(where, given) {
    if (given === undefined)
        return [];
    const text = readPem(where, "ca", given);
    if (!hasBlock(text, "CERTIFICATE")) {
        throw new TypeError(`Option "ca" of ${where} has no PEM certificate (-----BEGIN CERTIFICATE-----)`);
    }
    return [text];
}
/** Certificate, key and passphrase; names of options only in what is thrown. */
function readIdentity(where, given) {
    if (given.cert === undefined)
        throw new TypeError(`Option "cert" of ${where} is missing`);
    if (given.key === undefined)
        throw new TypeError(`Option "key" of ${where} is missing: the private key of "cert"`);
    const cert = readPem(where, "cert", given.cert);
    if (!hasBlock(cert, "CERTIFICATE")) {
        throw new TypeError(`Option "cert" of ${where} has no PEM certificate (-----BEGIN CERTIFICATE-----)`);
    }
    const key = readPem(where, "key", given.key);
    const keys = key.match(/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/g)?.length ?? 0;
    if (keys !== 1) {
        throw new TypeError(`Option "key" of ${where} must have one PEM private key (-----BEGIN PRIVATE KEY-----), not ${keys}`);
    }
    const { passphrase } = given;
    if (passphrase !== undefined && typeof passphrase !== "string") {
        throw new TypeError(`Option "passphrase" of ${where} must be a string, not ${typeof passphrase}`);
    }
    return { cert, key, passphrase };
}
function readNames(where, given) {
    if (given === undefined)
        return [];
    if (given === null || typeof given !== "object") {
        throw new TypeError(`Option "sni" of ${where} must be an object: certificates by server name`);
    }
    const names = new Map();
    for (const [given_name, certificate] of Object.entries(given)) {
        const name = given_name.toLowerCase();
        const inside = `"${given_name}" in sni of ${where}`;
        if (!isHostName(name.startsWith("*.") ? name.slice(2) : name)) {
            throw new TypeError(`Option "sni" of ${where} has the name ${JSON.stringify(given_name)}; it must be like "example.org" or "*.example.org"`);
        }
        if (names.has(name))
            throw new TypeError(`Option "sni" of ${where} has "${name}" twice`);
        checkKnown(inside, certificate, CERTIFICATE_NAMES);
        names.set(name, readIdentity(inside, certificate));
    }
    return [...names];
}
/** Names go without the dot that may end them (RFC 6066 §3). */
function readServername(where, given) {
    const name = typeof given === "string" ? given.replace(/\.$/, "") : "";
    if (!name.includes(":") && !isHostName(name)) {
        throw new TypeError(`Option "servername" of ${where} must be a name such as "example.org" or an IP address, not ${JSON.stringify(given)}`);
    }
    if (name.includes(":") && !/^[\da-fA-F:.]{2,45}$/.test(name)) {
        throw new TypeError(`Option "servername" of ${where} must be a name or an IP address without port`);
    }
    return name.toLowerCase();
}
/** Labels of ASCII, the underscore included, which some use; others go in their ASCII form (xn--…). */
function isHostName(name) {
    if (name.length === 0 || name.length > MAX_NAME_BYTES)
        return false;
    return name.split(".").every((label) => label.length <= 63 && /^[\w](?:[\w-]*[\w])?$/.test(label));
}
function hasBlock(text, what) {
    return text.includes(`-----BEGIN ${what}-----`) || text.includes(`-----BEGIN TRUSTED ${what}-----`);
}
/** Text of PEM, whatever it came as. */
function readPem(where, name, given) {
    const parts = Array.isArray(given) ? given : [given];
    const texts = parts.map((part) => {
        if (typeof part === "string")
            return part;
        if (part instanceof Uint8Array)
            return new TextDecoder().decode(part);
        throw new TypeError(`Option "${name}" of ${where} must be PEM as string or Uint8Array, not ${typeof part}`);
    });
    const text = texts.join("\n");
    if (text.includes("\0"))
        throw new TypeError(`Option "${name}" of ${where} must be PEM text, not DER`);
    return text;
}
