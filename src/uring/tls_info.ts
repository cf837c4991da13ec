/** What `rw_tls_describe` writes, as {@link TlsInfo}. */

import type { TlsInfo, TlsVersion } from "../tls.ts";

/**
 * Reads lines such as `version TLSv1.3` and `alpn http/1.1`.
 *
 * @param certificate - The peer's own, DER.
 */
export function readTlsInfo(text: string, certificate: Uint8Array | undefined): TlsInfo {
  const lines = new Map<string, string>();
  for (const line of text.split("\n")) {
    const space = line.indexOf(" ");
    if (space > 0) lines.set(line.slice(0, space), line.slice(space + 1));
  }
  const value = (name: string): string => lines.get(name) ?? "";
  const isSet = (name: string): boolean => value(name) === "1";
  return {
    version: value("version") as TlsVersion,
    cipher: value("cipher"),
    alpn: value("alpn"),
    resumed: isSet("resumed"),
    ktls: { tx: isSet("ktls_tx"), rx: isSet("ktls_rx") },
    servername: value("name"),
    peerCertificate: certificate,
  };
}
