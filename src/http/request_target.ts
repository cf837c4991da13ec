/** What a request's target may not contain (RFC 9112 §3.2). */

/**
 * Whether a target in absolute form has userinfo: `http://user@host/`, also an empty one. Reads it as the URL standard
 * does, which takes any number of slashes and backslashes, none included, for the two of RFC 3986.
 */
export function hasUserinfo(target: string): boolean {
  if (target.startsWith("/")) return false;
  const colon = target.indexOf(":");
  if (colon < 0) return false;
  let at = colon + 1;
  while (target[at] === "/" || target[at] === "\\") at++;
  for (; at < target.length; at++) {
    const character = target[at];
    if (character === "@") return true;
    if (character === "/" || character === "\\" || character === "?" || character === "#") return false;
  }
  return false;
}
