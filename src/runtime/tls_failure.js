/**
 * What the runtimes' TLS says when it fails, as errors of ours. Node speaks as OpenSSL does, Bun as BoringSSL, and Deno gives
 * what rustls says names of OpenSSL's, not always the right ones: there the message counts.
 */
import { RingwireError } from "../errors.js";
import { alertText, leftInHandshake, tlsError } from "../tls_errors.js";
import { socketFailure } from "./socket_failure.js";
export { leftInHandshake };
/** Results of verifying a certificate that have a code of their own (OpenSSL's X509_V_ERR_*). */
const VERIFICATION = {
    CERT_HAS_EXPIRED: "ERR_TLS_CERTIFICATE_EXPIRED",
    CERT_NOT_YET_VALID: "ERR_TLS_CERTIFICATE_NOT_YET_VALID",
    DEPTH_ZERO_SELF_SIGNED_CERT: "ERR_TLS_SELF_SIGNED",
    SELF_SIGNED_CERT_IN_CHAIN: "ERR_TLS_SELF_SIGNED",
    UNABLE_TO_GET_ISSUER_CERT: "ERR_TLS_UNKNOWN_ISSUER",
    UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "ERR_TLS_UNKNOWN_ISSUER",
    UNABLE_TO_VERIFY_LEAF_SIGNATURE: "ERR_TLS_UNKNOWN_ISSUER",
    CERT_UNTRUSTED: "ERR_TLS_UNKNOWN_ISSUER",
    HOSTNAME_MISMATCH: "ERR_TLS_HOST_MISMATCH",
    ERR_TLS_CERT_ALTNAME_INVALID: "ERR_TLS_HOST_MISMATCH",
};
/** Further results, without a code of their own. */
const OTHER_VERIFICATION = /^(CERT_|CRL_|UNABLE_TO_|ERROR_IN_CERT_|ERROR_IN_CRL_|INVALID_|PATH_LENGTH_|EE_KEY_|CA_KEY_|CA_MD_|KEYUSAGE_|SUBJECT_|AKID_|EXCLUDED_|PERMITTED_|SUBTREE_|UNSUPPORTED_(NAME|CONSTRAINT|EXTENSION)|UNSPECIFIED$|OUT_OF_MEM$)/;
/** Failures of the library itself: `ERR_SSL_` and these. */
const LIBRARY = {
    UNSUPPORTED_PROTOCOL: "ERR_TLS_VERSION",
    NO_PROTOCOLS_AVAILABLE: "ERR_TLS_VERSION",
    NO_SUPPORTED_VERSIONS_ENABLED: "ERR_TLS_VERSION",
    VERSION_TOO_LOW: "ERR_TLS_VERSION",
    UNKNOWN_SSL_VERSION: "ERR_TLS_VERSION",
    UNSUPPORTED_SSL_VERSION: "ERR_TLS_VERSION",
    WRONG_SSL_VERSION: "ERR_TLS_VERSION",
    INAPPROPRIATE_FALLBACK: "ERR_TLS_VERSION",
    NO_SHARED_CIPHER: "ERR_TLS_CIPHER",
    NO_SUITABLE_SIGNATURE_ALGORITHM: "ERR_TLS_CIPHER",
    NO_SHARED_GROUP: "ERR_TLS_CIPHER",
    NO_COMMON_SIGNATURE_ALGORITHMS: "ERR_TLS_CIPHER",
    NO_CIPHERS_SPECIFIED: "ERR_TLS_CIPHER",
    NO_APPLICATION_PROTOCOL: "ERR_TLS_ALPN",
    PEER_DID_NOT_RETURN_A_CERTIFICATE: "ERR_TLS_NO_CERTIFICATE",
    HTTP_REQUEST: "ERR_TLS_NOT_TLS",
    HTTPS_PROXY_REQUEST: "ERR_TLS_NOT_TLS",
};
/** What a peer that does not speak TLS looks like, as long as nothing else has come. */
const NOT_TLS = new Set([
    "WRONG_VERSION_NUMBER",
    "UNKNOWN_PROTOCOL",
    "BAD_RECORD_TYPE",
    "INVALID_RECORD_TYPE",
    "UNEXPECTED_RECORD",
]);
/** Alerts that say what we would say ourselves. */
const ALERTS = {
    protocol_version: "ERR_TLS_VERSION",
    no_application_protocol: "ERR_TLS_ALPN",
};
/** What rustls says, by a piece of it (Deno). */
const RUSTLS = [
    [
        /Tls1[23]NotOffered|NotOfferedOrEnabled|SupportedVersions|ServerDoesNotSupportTls|ServerTlsVersion/i,
        "ERR_TLS_VERSION",
    ],
    [
        /NoCipherSuitesInCommon|NoKxGroupsInCommon|NoSignatureSchemesInCommon|NamedGroup|EcPoints|SignatureAlgorithms/i,
        "ERR_TLS_CIPHER",
    ],
    [/peer doesn't support any known protocol/, "ERR_TLS_ALPN"],
    [/peer sent no certificates/, "ERR_TLS_NO_CERTIFICATE"],
];
/** The code of a certificate's fault, or undefined for what is none. */
export function verificationCode(code) {
    if (Object.hasOwn(VERIFICATION, code))
        return VERIFICATION[code];
    return OTHER_VERIFICATION.test(code) ? "ERR_TLS_CERTIFICATE" : undefined;
}
/** `HandshakeFailure` as `handshake_failure`. */
function snakeCase(name) {
    return name.replace(/([a-z])([A-Z])/g, "$1_$2").toLowerCase();
}
/** The name of the alert that the peer has sent, if that is what failed. */
function alertOf(message) {
    const said = /^received fatal alert: (\w+)$/.exec(message)?.[1];
    if (said !== undefined) {
        // What rustls calls UnknownCA and CertificateUnknown are names of RFC 8446 but for the case.
        return snakeCase(said.replace("CA", "Ca").replace("PSK", "Psk"));
    }
    const number = /SSL alert number (\d+)/.exec(message)?.[1];
    if (number !== undefined)
        return alertText(Number(number)).replace(/^alert /, "");
    return /OPENSSL_internal:(?:SSLV3|TLSV1|TLSV13)_ALERT_(\w+)/.exec(message)?.[1]?.toLowerCase() ?? undefined;
}
/** What the library calls it, without `ERR_SSL_`; rustls' messages do not have such names. */
function libraryCode(reason, message, isOpen) {
    if (Object.hasOwn(LIBRARY, reason))
        return LIBRARY[reason] ?? "ERR_TLS_PROTOCOL";
    for (const [pattern, code] of RUSTLS)
        if (pattern.test(message))
            return code;
    return !isOpen && (NOT_TLS.has(reason) || /InvalidContentType|corrupt message of type/.test(message))
        ? "ERR_TLS_NOT_TLS"
        : "ERR_TLS_PROTOCOL";
}
/**
 * Turns what a TLS socket failed with into an error of ours.
 *
 * @param action - What was tried or lost.
 * @param isOpen - Whether the handshake was done.
 */
export function tlsFailure(action, error, isOpen) {
    if (error instanceof RingwireError)
        return error;
    const { code, message, syscall } = error;
    const name = typeof code === "string" ? code : "";
    const text = typeof message === "string" ? message : "";
    const fault = verificationCode(name);
    if (fault !== undefined)
        return tlsError(fault, action, name, error);
    const isLibrary = name.startsWith("ERR_SSL_") || name === "EPROTO" || name === "ERR_TLS_";
    if (isLibrary || /^received fatal alert/.test(text)) {
        const alert = alertOf(text);
        if (alert !== undefined) {
            return tlsError(ALERTS[alert] ?? "ERR_TLS_ALERT", action, `alert ${alert}`, error);
        }
        const reason = name.slice("ERR_SSL_".length);
        return tlsError(libraryCode(reason, text, isOpen), action, reason.toLowerCase().replaceAll("_", " "), error);
    }
    // The peer has sent its FIN: Node, Bun and Deno make an error of that, without a system call.
    if (!isOpen && name === "ECONNRESET" && syscall === undefined)
        return leftInHandshake(action, error);
    return socketFailure(action, error);
}
