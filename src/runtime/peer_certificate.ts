/** What a peer's certificates say: which faults they have beyond what the runtime tells, which keys are in them, what both ends agreed on. */

import { createHash, X509Certificate } from "node:crypto";
import type { DetailedPeerCertificate, PeerCertificate, TLSSocket } from "node:tls";
import type { ClientTlsSettings, TlsInfo, TlsVersion } from "../tls.ts";
import type { TlsErrorCode } from "../tls_errors.ts";
import { isForHost } from "./certificate_names.ts";
import { isWeakKey, readCertificates } from "./tls_identity.ts";

/** Longer chains are followed no further. */
const MAX_CHAIN = 16;
/** Extended key usage (RFC 5280 §4.2.1.12) and what it may be, in DER. */
const USES = Buffer.from("0603551d25", "hex");
const SERVER_USE = Buffer.from("06082b06010505070301", "hex");
const CLIENT_USE = Buffer.from("06082b06010505070302", "hex");
const ANY_USE = Buffer.from("0604551d2500", "hex");

/**
 * The peer's certificate and those above it, as far as each was really signed by an authority that is the next: the runtime
 * verifies a chain but does not tell which, and a peer may append whatever it likes.
 */
export function chainOf(socket: TLSSocket): readonly X509Certificate[] {
  const chain: X509Certificate[] = [];
  let at = socket.getPeerCertificate(true) as DetailedPeerCertificate | undefined;
  while (at?.raw !== undefined && chain.length < MAX_CHAIN) {
    const certificate = new X509Certificate(at.raw);
    const below = chain.at(-1);
    if (below !== undefined) {
      if (below.raw.equals(certificate.raw)) break;
      if (!certificate.ca || !below.checkIssued(certificate) || !below.verify(certificate.publicKey)) break;
    }
    chain.push(certificate);
    at = at.issuerCertificate;
  }
  return chain;
}

/** Whether a chain has one of the pinned keys. @param pins - SHA-256 of SubjectPublicKeyInfo, hexadecimal. */
export function hasPin(chain: readonly X509Certificate[], pins: readonly string[]): boolean {
  return chain.some(({ publicKey }) => {
    const info = publicKey.export({ type: "spki", format: "der" });
    return pins.includes(createHash("sha256").update(info).digest("hex"));
  });
}

/**
 * A more exact code for a certificate that a runtime only calls unverifiable: Deno says so of every fault, Bun of some.
 *
 * @param use - What the peer's certificate must be good for.
 * @param ca - Authorities that are trusted besides the runtime's, PEM.
 */
export function faultOf(
  code: TlsErrorCode,
  socket: TLSSocket,
  use: "server" | "client",
  ca: readonly string[],
  nowMs: number,
): TlsErrorCode {
  if (code !== "ERR_TLS_UNKNOWN_ISSUER") return code;
  const shown = shownBy(socket);
  for (const { validFrom, validTo } of shown) {
    if (Date.parse(validTo) < nowMs) return "ERR_TLS_CERTIFICATE_EXPIRED";
    if (Date.parse(validFrom) > nowMs) return "ERR_TLS_CERTIFICATE_NOT_YET_VALID";
  }
  if (shown[0] !== undefined && isForOther(shown[0], use)) return "ERR_TLS_CERTIFICATE";
  if (shown[0] !== undefined && isWeakKey(shown[0].publicKey)) return "ERR_TLS_CERTIFICATE";
  if (shown.slice(1).some(({ ca }) => !ca)) return "ERR_TLS_CERTIFICATE";
  const last = shown.at(-1);
  const isSelfSigned = last !== undefined && last.issuer === last.subject && last.verify(last.publicKey);
  if (!isSelfSigned) return code;
  // The chain leads to a root that is trusted, so something else is wrong with it: a name that its authority may not vouch for, for one.
  const roots = ca.flatMap((pem) => readCertificates("ca", pem));
  return roots.some(({ raw }) => raw.equals(last.raw)) ? "ERR_TLS_CERTIFICATE" : "ERR_TLS_SELF_SIGNED";
}

/** Whether a certificate says what it is for, and it is not this. What Deno's `keyUsage` tells is something else. */
function isForOther({ raw }: X509Certificate, use: "server" | "client"): boolean {
  const at = raw.indexOf(USES);
  if (at < 0) return false;
  // Behind the name come, perhaps, "critical", and the list, which is short.
  const list = raw.subarray(at + USES.length, at + USES.length + 128);
  return !list.includes(use === "server" ? SERVER_USE : CLIENT_USE) && !list.includes(ANY_USE);
}

/** What the peer has shown, signed by whomever. */
function shownBy(socket: TLSSocket): readonly X509Certificate[] {
  const shown: X509Certificate[] = [];
  let at = socket.getPeerCertificate(true) as DetailedPeerCertificate | undefined;
  while (at?.raw !== undefined && shown.length < MAX_CHAIN) {
    const certificate = new X509Certificate(at.raw);
    if (shown.some(({ raw }) => raw.equals(certificate.raw))) break;
    shown.push(certificate);
    at = at.issuerCertificate;
  }
  return shown;
}

/** Whether the key of the peer's own certificate is too small to prove anything. */
export function isWeak(socket: TLSSocket): boolean {
  const { raw } = socket.getPeerCertificate(false) as { raw?: Buffer };
  return raw !== undefined && isWeakKey(new X509Certificate(raw).publicKey);
}

/** What is wrong with the name in a server's certificate, or undefined. */
export function nameFault(settings: ClientTlsSettings, certificate: PeerCertificate): Error | undefined {
  if (isForHost(certificate.raw, settings.servername)) return undefined;
  return Object.assign(new Error("The certificate is for another host"), {
    code: "ERR_TLS_CERT_ALTNAME_INVALID",
  });
}

/** What a socket has agreed on. Once its handshake is done. */
export function infoOf(socket: TLSSocket, servername: string): TlsInfo {
  const peer = socket.getPeerCertificate(false) as PeerCertificate | undefined;
  const { alpnProtocol } = socket;
  return {
    version: (socket.getProtocol() ?? "TLSv1.3") as TlsVersion,
    cipher: socket.getCipher().standardName,
    alpn: typeof alpnProtocol === "string" ? alpnProtocol : "",
    resumed: socket.isSessionReused(),
    ktls: { tx: false, rx: false },
    servername,
    // A copy: the runtime's may be a view of something larger.
    peerCertificate: peer?.raw === undefined ? undefined : new Uint8Array(peer.raw),
  };
}
