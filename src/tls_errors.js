/**
 * Errors of TLS: one sentence and one piece of advice per code, so that every transport says the same. What OpenSSL, BoringSSL and
 * rustls call things goes no further than their own files.
 */
import { RingwireError } from "./errors.js";
/** What happened; what to do. */
const TEXTS = {
    ERR_TLS_CERTIFICATE_EXPIRED: "a certificate of the peer has expired; its owner must renew it",
    ERR_TLS_CERTIFICATE_NOT_YET_VALID: "a certificate of the peer is not valid yet; check the clocks on both sides",
    ERR_TLS_SELF_SIGNED: "the peer's certificate is signed by itself or by a root that is not trusted; if you know it, trust it with the option tls.ca",
    ERR_TLS_UNKNOWN_ISSUER: "nobody trusted has signed the peer's certificate; give the missing authority with the option tls.ca, or have the peer send its whole chain",
    ERR_TLS_HOST_MISMATCH: "the peer's certificate is for another name; check the host, or the option tls.servername",
    ERR_TLS_CERTIFICATE: "the peer's certificate is not acceptable",
    ERR_TLS_PIN_MISMATCH: "none of the public keys in the option tls.pins is in the peer's certificates; ask its owner for its present key before you trust another",
    ERR_TLS_NO_CERTIFICATE: "the peer has shown no certificate, and one is required",
    ERR_TLS_VERSION: "no version of TLS in common; see the options tls.minVersion and tls.maxVersion of both sides",
    ERR_TLS_CIPHER: "no cipher in common; see the option tls.ciphers and the kinds of key of both sides",
    ERR_TLS_ALPN: "no application protocol in common; see the option tls.alpnProtocols of both sides",
    ERR_TLS_ALERT: "the peer has refused",
    ERR_TLS_NOT_TLS: "the peer does not speak TLS; check the port, and whether it is ws: or wss: there",
    ERR_TLS_PROTOCOL: "the peer has broken the rules of TLS",
    ERR_TLS_TRUNCATED: "the connection ended without TLS's closing message (close_notify): what came may have been cut off",
    ERR_TLS_TIMEOUT: "the TLS handshake was not done in time; see the option tls.handshakeTimeoutMs",
    ERR_TLS_KEY_UPDATE: "the peer has changed its keys, which kernel TLS cannot follow here; turn it off with the option tls.ktls",
};
/** Alerts by number (RFC 8446 §6 and §B.2, and what TLS 1.2 had besides: RFC 5246 §7.2, RFC 6066). */
const ALERTS = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    21: "decryption_failed",
    22: "record_overflow",
    30: "decompression_failure",
    40: "handshake_failure",
    41: "no_certificate",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    60: "export_restriction",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    100: "no_renegotiation",
    109: "missing_extension",
    110: "unsupported_extension",
    111: "certificate_unobtainable",
    112: "unrecognized_name",
    113: "bad_certificate_status_response",
    114: "bad_certificate_hash_value",
    115: "unknown_psk_identity",
    116: "certificate_required",
    120: "no_application_protocol",
};
/** An alert for people: `alertText(48)` is `"alert unknown_ca"`; unknown numbers stay numbers. */
export function alertText(alert) {
    return `alert ${ALERTS[alert] ?? alert}`;
}
/** The peer has closed before the handshake was done, without a word: nothing is cut off, there is just no connection. */
export function leftInHandshake(action, cause) {
    return new RingwireError("ERR_CONNECTION_CLOSED", `${action}: the peer closed the connection in the middle of the TLS handshake; its log may say why`, { cause });
}
/**
 * An error of TLS: `tlsError("ERR_TLS_ALERT", "Cannot connect to 127.0.0.1:443", alertText(48))`.
 *
 * @param action - What was tried, e.g. `Cannot connect to 127.0.0.1:443`.
 * @param detail - What is known beyond the code, in a few words: which alert, what is wrong with the certificate. Never secrets, and
 *   nothing that the peer may choose freely.
 * @param cause - The runtime's own error, if there is one.
 */
export function tlsError(code, action, detail, cause) {
    const more = detail === undefined || detail === "" ? "" : ` (${detail})`;
    return new RingwireError(code, `${action}: ${TEXTS[code]}${more}`, { cause });
}
