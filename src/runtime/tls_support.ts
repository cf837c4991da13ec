/**
 * Which TLS settings each runtime's own TLS honours: found by experiment (Node 20.20, Deno 2.9.6, Bun 1.4.5), and checked by
 * test/conformance/tls_options.test.ts. What is not honoured is refused when it was asked for, never ignored.
 */

import { RingwireError } from "../errors.ts";
import type { ClientTlsSettings, ServerTlsSettings } from "../tls.ts";

/** A runtime with TLS. */
export type TlsRuntimeName = "Bun" | "Deno" | "Node";

/** Settings that not every runtime honours. */
export type TlsFeature =
  /** TLS 1.2 ciphers. */
  | "ciphers"
  /** TLS 1.3 cipher suites, which are `ciphers` too for programs. */
  | "cipherSuites"
  /** Clients can resume sessions. */
  | "sessionResumption"
  /** Servers can be without session tickets. */
  | "noTickets"
  /** Servers with pins can hand out tickets to those alone that have a pinned key. */
  | "pinnedTickets"
  | "keyLogFile"
  | "ktls";

/** All other settings are honoured by all three. */
export const TLS_SUPPORT: Readonly<Record<TlsRuntimeName, Readonly<Record<TlsFeature, boolean>>>> = {
  Node: {
    ciphers: true,
    cipherSuites: true,
    sessionResumption: true,
    noTickets: true,
    pinnedTickets: false,
    keyLogFile: true,
    ktls: false,
  },
  // rustls takes no list of ciphers; clients' sessions and secrets are not shown; servers always hand out tickets.
  Deno: {
    ciphers: false,
    cipherSuites: false,
    sessionResumption: false,
    noTickets: false,
    pinnedTickets: true,
    keyLogFile: false,
    ktls: false,
  },
  // BoringSSL's TLS 1.3 suites are fixed.
  Bun: {
    ciphers: true,
    cipherSuites: false,
    sessionResumption: true,
    noTickets: true,
    pinnedTickets: false,
    keyLogFile: true,
    ktls: false,
  },
};

/** Options by which programs ask for a feature. */
const OPTIONS: Readonly<Record<TlsFeature, string>> = {
  ciphers: "ciphers",
  cipherSuites: "ciphers, with those of TLS 1.3,",
  sessionResumption: "sessionResumption, for clients,",
  noTickets: "sessionResumption: false, for servers,",
  pinnedTickets: "sessionResumption: true, for servers with pins,",
  keyLogFile: "keyLogFile",
  ktls: "ktls",
};

/** Whether a feature was asked for, as opposed to left alone. */
function isAsked(settings: ClientTlsSettings | ServerTlsSettings, feature: TlsFeature): boolean {
  switch (feature) {
    case "ciphers":
    case "cipherSuites":
      return settings[feature] !== undefined;
    case "sessionResumption":
      return settings.role === "client" && settings.sessionResumption === true;
    case "noTickets":
      return settings.role === "server" && settings.sessionResumption === false;
    case "pinnedTickets":
      return settings.role === "server" && settings.sessionResumption === true && settings.pins.length > 0;
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
export function checkTlsSupport(
  runtime: TlsRuntimeName,
  settings: ClientTlsSettings | ServerTlsSettings,
): void {
  for (const [feature, isHonoured] of Object.entries(TLS_SUPPORT[runtime]) as [TlsFeature, boolean][]) {
    if (isHonoured || !isAsked(settings, feature)) continue;
    throw new RingwireError(
      "ERR_UNSUPPORTED",
      `Cannot honour the option tls.${OPTIONS[feature]} with the TLS of ${runtime}; leave it out, or use the io_uring transport`,
    );
  }
}
