/**
 * Which TLS settings each runtime's own TLS honours: found by experiment (Node 20.20, Deno 2.9.6, Bun 1.4.5), and checked by
 * test/runtime/tls_sockets.test.ts. What is not honoured is refused when it was asked for, never ignored.
 */

import { RingwireError } from "../errors.ts";
import type { ClientTlsSettings, ServerTlsSettings } from "../tls.ts";

/** Settings that not every runtime honours, by the names that programs know. */
export type TlsFeature =
  /** TLS 1.2 ciphers. */
  | "ciphers"
  /** TLS 1.3 cipher suites: `ciphers` too, for programs. */
  | "cipherSuites"
  | "sessionResumption"
  | "keyLogFile"
  | "ktls";

/** A runtime with TLS. */
export type TlsRuntimeName = "Bun" | "Deno" | "Node";

/** Settings that are honoured, by runtime. All others of {@link ClientTlsSettings} and {@link ServerTlsSettings} are honoured by all three. */
export const TLS_SUPPORT: Readonly<Record<TlsRuntimeName, Readonly<Record<TlsFeature, boolean>>>> = {
  Node: { ciphers: true, cipherSuites: true, sessionResumption: true, keyLogFile: true, ktls: false },
  // rustls takes no list of ciphers; its sessions and secrets are not shown.
  Deno: { ciphers: false, cipherSuites: false, sessionResumption: false, keyLogFile: false, ktls: false },
  // BoringSSL's TLS 1.3 suites are fixed.
  Bun: { ciphers: true, cipherSuites: false, sessionResumption: false, keyLogFile: false, ktls: false },
};

/** What of the settings was asked for, as opposed to left alone. */
function isAsked(settings: ClientTlsSettings | ServerTlsSettings, feature: TlsFeature): boolean {
  switch (feature) {
    case "keyLogFile":
      return settings.keyLogFile !== undefined && settings.isKeyLogAsked;
    case "sessionResumption":
    case "ktls":
      return settings[feature] === true;
    default:
      return settings[feature] !== undefined;
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
    const name = feature === "cipherSuites" ? "ciphers, with TLS 1.3 suites," : feature;
    throw new RingwireError(
      "ERR_UNSUPPORTED",
      `Cannot honour the option tls.${name} with the TLS of ${runtime}; leave it out, or use the io_uring transport`,
    );
  }
}
