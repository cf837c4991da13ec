/**
 * Which TLS settings each runtime's own TLS honours: found by experiment (Node 20.20, Deno 2.9.6, Bun 1.4.5), and checked by
 * test/runtime/tls_sockets.test.ts. What is not honoured is refused when it was asked for, never ignored.
 */
import { RingwireError } from "../errors.js";
/** All other settings are honoured by all three. */
export const TLS_SUPPORT = {
    Node: {
        ciphers: true,
        cipherSuites: true,
        sessionResumption: true,
        noTickets: true,
        keyLogFile: true,
        ktls: false,
    },
    // rustls takes no list of ciphers; clients' sessions and secrets are not shown; servers always hand out tickets.
    Deno: {
        ciphers: false,
        cipherSuites: false,
        sessionResumption: false,
        noTickets: false,
        keyLogFile: false,
        ktls: false,
    },
    // BoringSSL's TLS 1.3 suites are fixed.
    Bun: {
        ciphers: true,
        cipherSuites: false,
        sessionResumption: true,
        noTickets: true,
        keyLogFile: true,
        ktls: false,
    },
};
/** Options by which programs ask for a feature. */
const OPTIONS = {
    ciphers: "ciphers",
    cipherSuites: "ciphers, with those of TLS 1.3,",
    sessionResumption: "sessionResumption, for clients,",
    noTickets: "sessionResumption: false, for servers,",
    keyLogFile: "keyLogFile",
    ktls: "ktls",
};
/** Whether a feature was asked for, as opposed to left alone. */
function isAsked(settings, feature) {
    switch (feature) {
        case "ciphers":
        case "cipherSuites":
            return settings[feature] !== undefined;
        case "sessionResumption":
            return settings.role === "client" && settings.sessionResumption === true;
        case "noTickets":
            return settings.role === "server" && settings.sessionResumption === false;
        case "keyLogFile":
            // One of the environment is left alone where it cannot be written.
            return settings.keyLogFile !== undefined && settings.isKeyLogAsked;
        case "ktls":
            return settings.ktls === true;
    }
}
/**
 * Refuses settings that would be ignored.
 *
 * @throws RingwireError `ERR_UNSUPPORTED`.
 */
export function checkTlsSupport(runtime, settings) {
    for (const [feature, isHonoured] of Object.entries(TLS_SUPPORT[runtime])) {
        if (isHonoured || !isAsked(settings, feature))
            continue;
        throw new RingwireError("ERR_UNSUPPORTED", `Cannot honour the option tls.${OPTIONS[feature]} with the TLS of ${runtime}; leave it out, or use the io_uring transport`);
    }
}
