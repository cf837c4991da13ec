/** WebSocket URLs (RFC 6455 §3), and what of them goes where. */

import { kindOf } from "../errors.ts";
import { basicAuthorization } from "./request_headers.ts";

/** Where to connect and what to ask for. */
export interface WebSocketUrl {
  /** Whether TLS is asked for. */
  readonly secure: boolean;
  /** Host name, IP literal without brackets, or the path of a Unix socket. */
  readonly host: string;
  /** TCP port, 1 to 65,535; 0 for a Unix socket. */
  readonly port: number;
  /** The Host field of the request. */
  readonly hostHeader: string;
  /** Path and query of the request. */
  readonly target: string;
  /** An Authorization value made of the URL's user and password; undefined when it has none. */
  readonly authorization: string | undefined;
}

/** `wss+unix:` is the same with TLS. */
const UNIX_SCHEMES: readonly string[] = ["ws+unix:", "wss+unix:"];

/**
 * Parses `ws:`, `wss:`, `http:`, `https:`, and `ws+unix:PATH:TARGET` or `wss+unix:PATH:TARGET`, as in `ws+unix:/run/feed.sock:/v2`.
 * A colon in such a PATH is `%3A`, and an abstract name begins with `%00`.
 *
 * @throws TypeError when it is no such URL, or has a fragment (RFC 6455 §3).
 */
export function parseWebSocketUrl(url: string | URL): WebSocketUrl {
  const text = urlText(url);
  if (text.includes("#"))
    throw new TypeError(`Cannot connect to "${withoutUser(text)}": a WebSocket URL has no fragment`);
  const unix = UNIX_SCHEMES.find((scheme) => text.toLowerCase().startsWith(scheme));
  if (unix !== undefined) return parseUnix(text, unix);
  let parsed: URL;
  try {
    parsed = new URL(text);
  } catch {
    // Without the runtime's own error as the cause: that one quotes the URL as it is, with its password.
    throw new TypeError(`Cannot connect to "${withoutUser(text)}": it is not a URL`);
  }
  const secure = isSecure(parsed.protocol, text);
  const port = parsed.port === "" ? (secure ? 443 : 80) : Number(parsed.port);
  if (port === 0)
    throw new TypeError(`Cannot connect to "${withoutUser(text)}": port 0 cannot be connected to`);
  const { hostname } = parsed;
  return {
    secure,
    host: hostname.startsWith("[") ? hostname.slice(1, -1) : hostname,
    port,
    hostHeader: parsed.host,
    target: parsed.pathname + parsed.search,
    authorization: authorizationOf(parsed.username, parsed.password),
  };
}

/** A URL that a program gave. @throws TypeError for what is neither text nor a URL. */
export function urlText(url: string | URL): string {
  const text: unknown = typeof url === "string" ? url : (url as URL | null | undefined)?.href;
  if (typeof text === "string") return text;
  throw new TypeError(`Cannot connect to ${kindOf(url)}: give a URL, or a string with one`);
}

/**
 * A URL as an error may show it: errors end up in logs, passwords must not.
 *
 * Everything up to the last "@" goes, because the URL standard finds a password in more texts than RFC 3986 does: any
 * number of slashes and backslashes, none included, may stand before it, and in what is no URL it may hold any of them.
 */
export function withoutUser(text: string): string {
  const at = text.lastIndexOf("@");
  if (at < 0) return text;
  let from = text.indexOf(":") + 1;
  while (from < at && (text[from] === "/" || text[from] === "\\")) from++;
  return from > at ? text.slice(at + 1) : text.slice(0, from) + text.slice(at + 1);
}

function isSecure(scheme: string, text: string): boolean {
  switch (scheme) {
    case "ws:":
    case "http:":
      return false;
    case "wss:":
    case "https:":
      return true;
    default:
      throw new TypeError(
        `Cannot connect to "${withoutUser(text)}": its scheme is not ws, wss, http, https, ws+unix or wss+unix`,
      );
  }
}

/** What would end the path of a Unix socket in a URL, or be changed on the way: the URL standard drops or escapes it. */
const UNIX_ESCAPED = /[%:#?\s\p{Cc}]/gu;

/** The path of a Unix socket as it stands in a URL; NUL, with which abstract names begin, is `%00`. */
export function writeUnixPath(path: string): string {
  return path.replace(UNIX_ESCAPED, encodeURIComponent);
}

/** The path that stands in a URL; undefined when it is none. NUL may begin it, and not stand elsewhere. */
export function readUnixPath(text: string): string | undefined {
  const path = unescapePart(text);
  return path === "" || path.includes("\0", 1) ? undefined : path;
}

/** `ws+unix:PATH:TARGET`. The target may be missing; the path ends at the first colon. */
function parseUnix(text: string, scheme: string): WebSocketUrl {
  const rest = text.slice(scheme.length);
  const colon = rest.indexOf(":");
  const path = readUnixPath(colon < 0 ? rest : rest.slice(0, colon));
  const target = colon < 0 || colon === rest.length - 1 ? "/" : rest.slice(colon + 1);
  if (path === undefined) {
    throw new TypeError(`Cannot connect to ${JSON.stringify(text)}: it names no socket path`);
  }
  // The URL parser escapes what a request line cannot hold, and resolves dots as for any other URL.
  const parsed = new URL(target.startsWith("/") ? `ws://localhost${target}` : `ws://localhost/${target}`);
  return {
    secure: scheme.startsWith("wss"),
    host: path,
    port: 0,
    hostHeader: "localhost",
    target: parsed.pathname + parsed.search,
    authorization: undefined,
  };
}

function authorizationOf(username: string, password: string): string | undefined {
  if (username === "" && password === "") return undefined;
  return basicAuthorization(unescapePart(username), unescapePart(password));
}

/** Undoes the URL parser's escaping; a part with a stray `%` stays as it is. */
function unescapePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
