/**
 * TLS as the seam knows it: what a program's `tls` option says once it was checked, and what a handshake agreed on. Every
 * transport takes the same settings; who cannot honour one refuses it.
 */

/** TLS versions, as OpenSSL and Node spell them. TLS 1.0 and 1.1 are not spoken (RFC 8996). */
export type TlsVersion = "TLSv1.2" | "TLSv1.3";

/** A certificate chain with its private key, all PEM. */
export interface TlsIdentity {
  /** The certificate, then the chain that leads to its root. */
  readonly cert: string;
  readonly key: string;
  readonly passphrase: string | undefined;
}

/** What both ends take. */
export interface TlsSettings {
  /** Certificates to trust, PEM: by clients besides those of the system or runtime, by servers alone (a client's certificate). */
  readonly ca: readonly string[];
  /** Protocols for ALPN (RFC 7301), the preferred one first; empty: ALPN is not used. */
  readonly alpnProtocols: readonly string[];
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion;
  /** TLS 1.2 ciphers as OpenSSL lists them; undefined: the default. */
  readonly ciphers: string | undefined;
  /** TLS 1.3 cipher suites as OpenSSL lists them; undefined: the default. */
  readonly cipherSuites: string | undefined;
  /** SHA-256 of public keys (SubjectPublicKeyInfo), 32 bytes each as lower-case hexadecimal; the peer's chain must have one. Empty: any. */
  readonly pins: readonly string[];
  /** From the TCP connection on, milliseconds. */
  readonly handshakeTimeoutMs: number;
  /** Whether sessions are resumed: tickets on servers, a cache by name and port on clients. Undefined: where it can be had. */
  readonly sessionResumption: boolean | undefined;
  /** File that session secrets are appended to; undefined: none. */
  readonly keyLogFile: string | undefined;
  /** Whether the program named `keyLogFile`. Else the environment did, and who cannot write one leaves it instead of refusing. */
  readonly isKeyLogAsked: boolean;
  /** Whether the kernel may do the records. Undefined: where it can and nothing is lost by it. */
  readonly ktls: boolean | undefined;
}

/** What a connecting end needs. */
export interface ClientTlsSettings extends TlsSettings {
  readonly role: "client";
  /** Shown when the server asks for it. */
  readonly identity: TlsIdentity | undefined;
  /** Name to ask for (SNI) and to find in the certificate; an IP address is only looked for. */
  readonly servername: string;
  /** Whether chain and name are verified. */
  readonly rejectUnauthorized: boolean;
}

/** What a listening end needs. */
export interface ServerTlsSettings extends TlsSettings {
  readonly role: "server";
  /** Shown to clients that ask for no name, or for one that is not in `names`. */
  readonly identity: TlsIdentity;
  /** By server name (SNI), lower case; `*.example.org` stands for one label. */
  readonly names: readonly (readonly [name: string, identity: TlsIdentity])[];
  /** Whether clients are asked for a certificate. One that is shown must be valid; `require`: there must be one. */
  readonly clientCertificate: "none" | "request" | "require";
}

/** What a TLS connection has agreed on. */
export interface TlsInfo {
  /** The version spoken. */
  readonly version: TlsVersion;
  /** IANA's name: `TLS_AES_128_GCM_SHA256`. */
  readonly cipher: string;
  /** The protocol chosen by ALPN, or "". */
  readonly alpn: string;
  /** Whether an earlier session was resumed. */
  readonly resumed: boolean;
  /** Which directions' records the kernel does. */
  readonly ktls: { readonly tx: boolean; readonly rx: boolean };
  /** The server name that was asked for (SNI), or "". */
  readonly servername: string;
  /** The peer's own certificate, DER, if it has shown one: `new X509Certificate(info.peerCertificate)` of `node:crypto` reads it. */
  readonly peerCertificate: Uint8Array | undefined;
}
