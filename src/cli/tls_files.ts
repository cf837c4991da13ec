/**
 * TLS on the command line: options that name files, one line about what a connection has agreed on, and failures in words of the command
 * line.
 */

import type { Console } from "../runtime/console.ts";
import type { TlsInfo } from "../tls.ts";
import type { ClientTlsOptions, ServerTlsOptions } from "../tls_options.ts";
import { UsageError } from "./arguments.ts";

/** Options that name files. */
export interface CertificateFiles {
  readonly cert?: string;
  readonly key?: string;
}

/** The `tls` option of `serve`; undefined without files. @throws UsageError, RangeError for files that cannot be read. */
export function serverTls(
  given: CertificateFiles & { readonly "client-ca"?: string },
  console: Console,
): ServerTlsOptions | undefined {
  const authority = given["client-ca"];
  const identity = readIdentity(given, console);
  if (identity === undefined) {
    if (authority !== undefined) throw new UsageError(`Option "--client-ca" needs "--cert" and "--key"`);
    return undefined;
  }
  if (authority === undefined) return identity;
  return { ...identity, ca: console.readFile(authority), clientCertificate: "require" };
}

/** The `tls` option of `connect`; undefined without any. @throws As {@link serverTls}. */
export function clientTls(
  given: CertificateFiles & { readonly ca?: string; readonly servername?: string; readonly insecure?: true },
  console: Console,
): ClientTlsOptions | undefined {
  const options: ClientTlsOptions = {
    ...readIdentity(given, console),
    ...(given.ca === undefined ? {} : { ca: console.readFile(given.ca) }),
    ...(given.servername === undefined ? {} : { servername: given.servername }),
    ...(given.insecure === undefined ? {} : { rejectUnauthorized: false }),
  };
  return Object.keys(options).length === 0 ? undefined : options;
}

function readIdentity(
  { cert, key }: CertificateFiles,
  console: Console,
): { readonly cert: string; readonly key: string } | undefined {
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) throw new UsageError(`Give both "--cert" and "--key"`);
  return { cert: console.readFile(cert), key: console.readFile(key) };
}

/** What the members of the option `tls` are called here, by command. */
export const CONNECT_NAMES: Readonly<Record<string, string>> = {
  ca: "--ca",
  cert: "--cert",
  key: "--key",
  servername: "--servername",
};
/** See {@link CONNECT_NAMES}. */
export const ECHO_NAMES: Readonly<Record<string, string>> = {
  ca: "--client-ca",
  cert: "--cert",
  key: "--key",
};

/** A message of the library with the names that options have on the command line, where they have one. */
export function inWordsOf(names: Readonly<Record<string, string>>, message: string): string {
  const named = (name: string): string | undefined => (Object.hasOwn(names, name) ? names[name] : undefined);
  return message
    .replace(/\boption tls\.(\w+)/g, (whole, name: string) => {
      const ours = named(name);
      return ours === undefined ? whole : `option ${ours}`;
    })
    .replace(/^Option "(\w+)" of tls of \w+/, (whole, name: string) => {
      const ours = named(name);
      return ours === undefined ? whole : `Option "${ours}"`;
    })
    .replace(
      /^Cannot use (?:the option "tls"|these TLS settings): /,
      "Cannot use these certificates and keys: ",
    )
    .replace(/^Option "tls" is for /, "Options of TLS are for ");
}

/** The same for what a command has failed with. */
export function renamed(names: Readonly<Record<string, string>>, error: unknown): unknown {
  if (error instanceof Error) error.message = inWordsOf(names, error.message);
  return error;
}

/** `TLSv1.3 TLS_AES_256_GCM_SHA384 resumed=no ktls=tx,rx`. */
export function describeTls({ version, cipher, resumed, ktls }: TlsInfo): string {
  const directions = [ktls.tx ? "tx" : "", ktls.rx ? "rx" : ""].filter((direction) => direction !== "");
  return `${version} ${cipher} resumed=${resumed ? "yes" : "no"} ktls=${directions.join(",") || "none"}`;
}
