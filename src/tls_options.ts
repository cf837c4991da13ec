/**
 * The `tls` option of `connect` and `serve`: one set of names for OpenSSL in the shim and for the runtimes' own TLS. Here it becomes
 * settings that every transport takes; what is wrong is refused at once, and no message ever quotes a key or a passphrase.
 */

import { checkKnown, type NumberOption, readChoice, readFlag, readNumbers } from "./options.ts";
import type { ClientTlsSettings, ServerTlsSettings, TlsIdentity, TlsSettings, TlsVersion } from "./tls.ts";

/** PEM text, or its bytes as read from a file. Several are joined. */
export type Pem = string | Uint8Array | readonly (string | Uint8Array)[];

/** A certificate with its key. */
export interface TlsCertificate {
  /** The certificate, then the chain that leads to its root, PEM. */
  readonly cert: Pem;
  /** Its private key, PEM. */
  readonly key: Pem;
  /** Of the key, where it is encrypted. */
  readonly passphrase?: string;
}

/**
 * What {@linkcode ClientTlsOptions} and {@linkcode ServerTlsOptions} have in common. Undefined is always the default. What a runtime's own TLS
 * cannot do is refused with `ERR_UNSUPPORTED` when it is asked for; over io_uring there is all of it.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc8446 | RFC 8446}
 */
export interface TlsOptions {
  /**
   * Certificates to trust, PEM. Clients trust them besides those of the system (of the runtime: over native sockets, and where the system
   * has none). Servers trust clients' certificates by these alone.
   */
  readonly ca?: Pem;
  /** Protocols for ALPN (RFC 7301), the preferred one first; none: ALPN is not used. @default ["http/1.1"] */
  readonly alpnProtocols?: readonly string[];
  /** Lowest version spoken: `TLSv1.2` or `TLSv1.3`. @default "TLSv1.2" */
  readonly minVersion?: TlsVersion;
  /** Highest version spoken: `TLSv1.2` or `TLSv1.3`. @default "TLSv1.3" */
  readonly maxVersion?: TlsVersion;
  /**
   * Ciphers in OpenSSL's notation, separated by colons; those of TLS 1.3 have names that begin with `TLS_`. Without any of one version,
   * that version is not spoken. Its commands (`@SECLEVEL=0`, `@STRENGTH`) are refused. @default the library's
   */
  readonly ciphers?: string;
  /**
   * SHA-256 of public keys (SubjectPublicKeyInfo) in base64, with or without `sha256/` in front (RFC 7469 §2.4): one of them must be in
   * the peer's verified chain. Without verification it must be the peer's own. On servers they need `clientCertificate`. @default any key
   */
  readonly pins?: string | readonly string[];
  /** How long the TLS handshake may take, from the TCP connection on, milliseconds. 1 to 2,147,483,647. @default 10,000 */
  readonly handshakeTimeoutMs?: number;
  /** Whether sessions are resumed: tickets on servers, a cache by name and port on clients. @default where it can be had */
  readonly sessionResumption?: boolean;
  /** File that session secrets are appended to, for Wireshark and the like. @default the environment variable SSLKEYLOGFILE */
  readonly keyLogFile?: string;
  /**
   * Whether the kernel may encrypt and decrypt (kTLS), Linux and io_uring only; `ws.tls.ktls` tells what came of it. `true` also has clients receive
   * by it, which costs them session resumption. @default where it can and nothing is lost by it
   */
  readonly ktls?: boolean;
}

/** The `tls` option of {@linkcode connect}, for `wss:` and `https:` URLs. */
export interface ClientTlsOptions extends TlsOptions {
  /** Certificate to show when the server asks for one, then its chain, PEM. Needs `key`. */
  readonly cert?: Pem;
  /** Private key of `cert`, PEM. */
  readonly key?: Pem;
  /** Of the key, where it is encrypted. */
  readonly passphrase?: string;
  /** Name to ask for (SNI) and to find in the server's certificate; an IP address is only looked for. @default the URL's host */
  readonly servername?: string;
  /**
   * Whether the server's certificate and name are verified. Without, anybody on the way can read and change everything; the console
   * says so once. Rather trust the server's own root with `ca`. @default true
   */
  readonly rejectUnauthorized?: boolean;
}

/** The `tls` option of {@linkcode serve}. */
export interface ServerTlsOptions extends TlsOptions, TlsCertificate {
  /**
   * Whether clients are asked for a certificate: `request` takes those that show none, `require` refuses them; one that is shown must be
   * valid in both cases. Needs `ca`. @default "none"
   */
  readonly clientCertificate?: "none" | "request" | "require";
  /**
   * Other certificates by the name that a client asks for (SNI); `*.example.org` stands for one label. The first one is for all other names.
   *
   * @example
   * ```ts
   * import type { ServerTlsOptions } from "ringwire";
   *
   * const withNames = (main: ServerTlsOptions, other: ServerTlsOptions): ServerTlsOptions => ({
   *   ...main,
   *   sni: { "feed.example.org": { cert: other.cert, key: other.key } },
   * });
   * console.log(typeof withNames);
   * ```
   */
  readonly sni?: Readonly<Record<string, TlsCertificate>>;
}

/** Numbers of {@linkcode TlsOptions}. */
export const TLS_NUMBERS: { readonly [Name in "handshakeTimeoutMs"]: NumberOption } = {
  handshakeTimeoutMs: { default: 10_000, min: 1, max: 2_147_483_647 },
};

const COMMON_NAMES: readonly string[] = [
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
const CERTIFICATE_NAMES: readonly string[] = ["cert", "key", "passphrase"];
const CLIENT_NAMES: readonly string[] = [
  ...COMMON_NAMES,
  ...CERTIFICATE_NAMES,
  "servername",
  "rejectUnauthorized",
];
const SERVER_NAMES: readonly string[] = [...COMMON_NAMES, ...CERTIFICATE_NAMES, "clientCertificate", "sni"];

const VERSIONS: readonly TlsVersion[] = ["TLSv1.2", "TLSv1.3"];
const MAX_PROTOCOL_BYTES = 255;
/** What one extension can hold (RFC 7301 §3.1). */
const MAX_PROTOCOLS_BYTES = 65_535;
const PIN_BYTES = 32;
/** RFC 1035 §2.3.4, as text. */
const MAX_NAME_BYTES = 253;
const encoder = new TextEncoder();

/** Where environment variables come from: `runtime.environment`. */
export type Environment = (name: string) => string | undefined;

/**
 * Checks the `tls` option of a client.
 *
 * @param host - The URL's host, which the server must prove to be.
 * @throws TypeError, RangeError for what is unknown, missing or wrong.
 */
export function readClientTls(
  given: ClientTlsOptions,
  host: string,
  environment: Environment,
): ClientTlsSettings {
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
export function readServerTls(given: ServerTlsOptions, environment: Environment): ServerTlsSettings {
  const where = "tls of serve";
  checkKnown(where, given, SERVER_NAMES);
  const clientCertificate = readChoice(
    "clientCertificate",
    given.clientCertificate,
    ["none", "request", "require"],
    "none",
  );
  if (clientCertificate !== "none" && given.ca === undefined) {
    // A server that trusted every public authority would let in whoever has any certificate at all.
    throw new TypeError(`Option "clientCertificate" of ${where} needs "ca": who vouches for clients`);
  }
  const common = readCommon(where, given, environment);
  // Whoever gives one of them thinks that clients are looked at.
  const useless = common.pins.length > 0 ? "pins" : common.ca.length > 0 ? "ca" : undefined;
  if (clientCertificate === "none" && useless !== undefined) {
    throw new TypeError(
      `Option "${useless}" of ${where} is about clients' certificates, and needs "clientCertificate": "request" or "require"`,
    );
  }
  return {
    role: "server",
    ...common,
    identity: readIdentity(where, given),
    names: readNames(where, given.sni),
    clientCertificate,
  };
}

function readCommon(where: string, given: TlsOptions, environment: Environment): TlsSettings {
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

function readOptionalFlag(name: string, value: unknown): boolean | undefined {
  return value === undefined ? undefined : readFlag(name, value, false);
}

/**
 * Versions and ciphers belong together: who lists ciphers of one version only does not want the other one, which the library would else
 * add with ciphers of its own.
 */
function readVersions(
  where: string,
  given: TlsOptions,
): Pick<TlsSettings, "minVersion" | "maxVersion" | "ciphers" | "cipherSuites"> {
  let minVersion = readChoice("minVersion", given.minVersion, VERSIONS, "TLSv1.2");
  let maxVersion = readChoice("maxVersion", given.maxVersion, VERSIONS, "TLSv1.3");
  if (minVersion > maxVersion) {
    throw new RangeError(
      `Option "minVersion" of ${where} (${minVersion}) must not be above "maxVersion" (${maxVersion})`,
    );
  }
  if (given.ciphers === undefined) {
    return { minVersion, maxVersion, ciphers: undefined, cipherSuites: undefined };
  }
  const names = readCiphers(where, given.ciphers);
  const suites = names.filter((name) => name.startsWith("TLS_"));
  const ciphers = names.filter((name) => !name.startsWith("TLS_"));
  if (suites.length === 0) maxVersion = "TLSv1.2";
  if (ciphers.length === 0) minVersion = "TLSv1.3";
  if (minVersion > maxVersion) {
    throw new TypeError(
      `Option "ciphers" of ${where} has none for ${minVersion === "TLSv1.3" && suites.length === 0 ? "TLSv1.3, whose names begin with TLS_" : "TLSv1.2"}`,
    );
  }
  return {
    minVersion,
    maxVersion,
    // Without a certificate or without encryption it would be TLS by name only, whatever list asks for it.
    ciphers: ciphers.length === 0 ? undefined : [...ciphers, "!aNULL", "!eNULL"].join(":"),
    cipherSuites: suites.length === 0 ? undefined : suites.join(":"),
  };
}

function readCiphers(where: string, given: unknown): string[] {
  if (typeof given !== "string" || !/^[\w:+!\-@=., ]+$/.test(given)) {
    throw new TypeError(
      `Option "ciphers" of ${where} must be a list as OpenSSL has it, such as "TLS_AES_128_GCM_SHA256:ECDHE-RSA-AES128-GCM-SHA256", not ${JSON.stringify(given)}`,
    );
  }
  const names = given.split(/[:, ]/).filter((name) => name !== "");
  const command = names.find((name) => name.includes("@"));
  if (command !== undefined) {
    throw new TypeError(
      `Option "ciphers" of ${where} has "${command}", which is no cipher: weak keys and signatures are refused whatever the list says, and its order is the order of preference`,
    );
  }
  return names;
}

function readProtocols(where: string, given: unknown): readonly string[] {
  if (given === undefined) return ["http/1.1"];
  const isRight = Array.isArray(given) && given.every((each) => typeof each === "string");
  const sizes = isRight ? given.map((each: string) => encoder.encode(each).length) : [];
  const total = sizes.reduce((sum, size) => sum + size + 1, 0);
  if (
    !isRight ||
    total > MAX_PROTOCOLS_BYTES ||
    sizes.some((size) => size === 0 || size > MAX_PROTOCOL_BYTES)
  ) {
    throw new TypeError(
      `Option "alpnProtocols" of ${where} must be a list of names of 1 to ${MAX_PROTOCOL_BYTES} bytes, such as ["http/1.1"]`,
    );
  }
  return [...(given as string[])];
}

/** Pins as hexadecimal: whoever compares them gets hexadecimal from every library. */
function readPins(where: string, given: unknown): readonly string[] {
  if (given === undefined) return [];
  const list = Array.isArray(given) ? given : [given];
  return list.map((pin) => {
    const hex = typeof pin === "string" ? pinToHex(pin) : undefined;
    if (hex === undefined) {
      throw new TypeError(
        `Option "pins" of ${where} must be SHA-256 of public keys in base64, such as "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", not ${JSON.stringify(pin)}`,
      );
    }
    return hex;
  });
}

function pinToHex(pin: string): string | undefined {
  let bytes: string;
  try {
    bytes = atob(pin.startsWith("sha256/") ? pin.slice("sha256/".length) : pin);
  } catch {
    return undefined;
  }
  if (bytes.length !== PIN_BYTES) return undefined;
  return [...bytes].map((byte) => byte.charCodeAt(0).toString(16).padStart(2, "0")).join("");
}

function readAuthorities(where: string, given: unknown): readonly string[] {
  if (given === undefined) return [];
  const text = readPem(where, "ca", given);
  if (!hasBlock(text, "CERTIFICATE")) {
    throw new TypeError(`Option "ca" of ${where} has no PEM certificate (-----BEGIN CERTIFICATE-----)`);
  }
  return [text];
}

/** Certificate, key and passphrase; names of options only in what is thrown. */
function readIdentity(where: string, given: Partial<TlsCertificate>): TlsIdentity {
  if (given.cert === undefined) throw new TypeError(`Option "cert" of ${where} is missing`);
  if (given.key === undefined)
    throw new TypeError(`Option "key" of ${where} is missing: the private key of "cert"`);
  const cert = readPem(where, "cert", given.cert);
  if (!hasBlock(cert, "CERTIFICATE")) {
    throw new TypeError(`Option "cert" of ${where} has no PEM certificate (-----BEGIN CERTIFICATE-----)`);
  }
  const key = readPem(where, "key", given.key);
  const keys = key.match(/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/g)?.length ?? 0;
  if (keys !== 1) {
    throw new TypeError(
      `Option "key" of ${where} must have one PEM private key (-----BEGIN PRIVATE KEY-----), not ${keys}`,
    );
  }
  const { passphrase } = given;
  if (passphrase !== undefined && typeof passphrase !== "string") {
    throw new TypeError(`Option "passphrase" of ${where} must be a string, not ${typeof passphrase}`);
  }
  return { cert, key, passphrase };
}

function readNames(where: string, given: unknown): readonly (readonly [string, TlsIdentity])[] {
  if (given === undefined) return [];
  if (given === null || typeof given !== "object") {
    throw new TypeError(`Option "sni" of ${where} must be an object: certificates by server name`);
  }
  const names = new Map<string, TlsIdentity>();
  for (const [given_name, certificate] of Object.entries(given)) {
    const name = given_name.toLowerCase();
    const inside = `"${given_name}" in sni of ${where}`;
    if (!isHostName(name.startsWith("*.") ? name.slice(2) : name)) {
      throw new TypeError(
        `Option "sni" of ${where} has the name ${JSON.stringify(given_name)}; it must be like "example.org" or "*.example.org"`,
      );
    }
    if (names.has(name)) throw new TypeError(`Option "sni" of ${where} has "${name}" twice`);
    checkKnown(inside, certificate as object, CERTIFICATE_NAMES);
    names.set(name, readIdentity(inside, certificate as Partial<TlsCertificate>));
  }
  return [...names];
}

/** Names go without the dot that may end them (RFC 6066 §3). */
function readServername(where: string, given: unknown): string {
  const name = typeof given === "string" ? given.replace(/\.$/, "") : "";
  if (!name.includes(":") && !isHostName(name)) {
    throw new TypeError(
      `Option "servername" of ${where} must be a name such as "example.org" or an IP address, not ${JSON.stringify(given)}`,
    );
  }
  if (name.includes(":") && !/^[\da-fA-F:.]{2,45}$/.test(name)) {
    throw new TypeError(`Option "servername" of ${where} must be a name or an IP address without port`);
  }
  return name.toLowerCase();
}

/** Labels of ASCII, the underscore included, which some use; others go in their ASCII form (xn--…). */
function isHostName(name: string): boolean {
  if (name.length === 0 || name.length > MAX_NAME_BYTES) return false;
  return name.split(".").every((label) => label.length <= 63 && /^[\w](?:[\w-]*[\w])?$/.test(label));
}

function hasBlock(text: string, what: string): boolean {
  return text.includes(`-----BEGIN ${what}-----`) || text.includes(`-----BEGIN TRUSTED ${what}-----`);
}

/** Text of PEM, whatever it came as. */
function readPem(where: string, name: string, given: unknown): string {
  const parts = Array.isArray(given) ? given : [given];
  const texts = parts.map((part: unknown) => {
    if (typeof part === "string") return part;
    if (part instanceof Uint8Array) return new TextDecoder().decode(part);
    throw new TypeError(
      `Option "${name}" of ${where} must be PEM as string or Uint8Array, not ${typeof part}`,
    );
  });
  const text = texts.join("\n");
  if (text.includes("\0")) throw new TypeError(`Option "${name}" of ${where} must be PEM text, not DER`);
  return text;
}
