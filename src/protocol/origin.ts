/** Origins: from where a web page opens a WebSocket (RFC 6454, RFC 6455 §10.2). */

/**
 * Checks an origin that pages may connect from. One that no browser sends as it stands would keep everybody out.
 *
 * @throws TypeError, with what was meant where that can be told.
 */
export function checkOrigin(origin: string): void {
  if (origin === "null") return;
  const url = URL.canParse(origin) ? new URL(origin) : undefined;
  // Of schemes such as that of browser extensions the URL standard knows no origin; browsers send them all the same.
  const sent =
    url && url.host !== ""
      ? url.origin === "null"
        ? `${url.protocol}//${url.host}`
        : url.origin
      : undefined;
  if (sent === origin) return;
  const advice =
    sent === undefined ? `an origin looks like "https://app.example"` : `did you mean "${sent}"?`;
  throw new TypeError(`Option "origins" has ${JSON.stringify(origin)}, which no browser sends; ${advice}`);
}
