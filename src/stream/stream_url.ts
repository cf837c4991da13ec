/** URLs of streams: `tcp://host:port`, `tls://host:port`, `unix:PATH`, `tls+unix:PATH`. */

import { readUnixPath, urlText, withoutUser } from "../protocol/url.ts";

/** Where a stream goes to. */
export interface StreamUrl {
  /** Whether TLS is asked for. */
  readonly secure: boolean;
  /** Host name, IP literal without brackets, or the path of a Unix socket. */
  readonly host: string;
  /** TCP port, 1 to 65,535; 0 for a Unix socket. */
  readonly port: number;
  /** The name that a certificate must have. A Unix socket has `localhost`. */
  readonly name: string;
}

const SCHEMES: readonly { readonly scheme: string; readonly secure: boolean; readonly isUnix: boolean }[] = [
  { scheme: "tcp:", secure: false, isUnix: false },
  { scheme: "tls:", secure: true, isUnix: false },
  { scheme: "unix:", secure: false, isUnix: true },
  { scheme: "tls+unix:", secure: true, isUnix: true },
];

/** @throws TypeError when it is no such URL, or says more than where to connect to. */
export function parseStreamUrl(url: string | URL): StreamUrl {
  const text = urlText(url);
  const found = SCHEMES.find(({ scheme }) => text.toLowerCase().startsWith(scheme));
  if (found === undefined) refuse(text, "its scheme is not tcp, tls, unix or tls+unix");
  const { scheme, secure, isUnix } = found;
  const rest = text.slice(scheme.length);
  if (isUnix) {
    const path = readUnixPath(rest);
    if (path === undefined) refuse(text, "it names no socket path");
    return { secure, host: path, port: 0, name: "localhost" };
  }
  // As a scheme that the URL standard knows, so that names are folded and checked; one that has no default port does not exist.
  const [http, https] = [`http:${rest}`, `https:${rest}`].map((each) => parse(each, text));
  const port = Number(http.port || https.port);
  if (port === 0) refuse(text, "it names no port");
  const isMore = http.username || http.password || http.search || http.hash || http.pathname !== "/";
  if (isMore) refuse(text, "it says more than host and port");
  const host = http.hostname.startsWith("[") ? http.hostname.slice(1, -1) : http.hostname;
  return { secure, host, port, name: host };
}

function parse(text: string, whole: string): URL {
  try {
    return new URL(text);
  } catch {
    return refuse(whole, "it is not a URL");
  }
}

function refuse(text: string, why: string): never {
  throw new TypeError(`Cannot connect to "${withoutUser(text)}": ${why}`);
}
