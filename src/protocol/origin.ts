/** Origins: from where a web page opens a WebSocket (RFC 6454, RFC 6455 §10.2). */

/** What pages are loaded by where their scripts connect by these. */
const PAGE_SCHEMES: ReadonlyMap<string, string> = new Map([
  ["ws:", "http:"],
  ["wss:", "https:"],
]);
/** Nothing that is loaded by one of these has an origin of its own; what is left are the web's and those of apps and browser extensions. */
const NO_ORIGIN_SCHEMES: ReadonlySet<string> = new Set([
  ...["about:", "blob:", "data:", "file:", "ftp:", "javascript:", "mailto:", "view-source:"],
  ...["tcp:", "tls:", "ws+unix:", "wss+unix:"],
]);

/** Of pages without one; of files as Electron and web views of telephones send it, where browsers say `null`. */
const OPAQUE_ORIGINS: readonly string[] = ["null", "file://"];

/**
 * Checks an origin that pages may connect from. One that no browser sends as it stands would keep everybody out.
 *
 * @throws TypeError, with what was meant where that can be told.
 */
export function checkOrigin(origin: string): void {
  if (OPAQUE_ORIGINS.includes(origin)) return;
  const url = URL.canParse(origin) ? new URL(origin) : undefined;
  const sent = url && originOf(url);
  if (sent === origin) return;
  const advice =
    sent === undefined ? `an origin looks like "https://app.example"` : `did you mean "${sent}"?`;
  throw new TypeError(`Option "origins" has ${JSON.stringify(origin)}, which no browser sends; ${advice}`);
}

/** The origin of a page, or of one that was meant; undefined where there can be none. An origin is one host: `*` is none. */
function originOf(url: URL): string | undefined {
  const { protocol, host } = url;
  if (host === "" || host.includes("*") || NO_ORIGIN_SCHEMES.has(protocol)) return undefined;
  const scheme = PAGE_SCHEMES.get(protocol);
  if (scheme !== undefined) return new URL(`${scheme}//${host}`).origin;
  // Of schemes such as that of browser extensions the URL standard knows no origin; browsers send them all the same.
  return url.origin === "null" ? `${protocol}//${host}` : url.origin;
}
