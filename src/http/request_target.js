/** What a request's target may be (RFC 9112 §3.2). */
/**
 * What is wrong with a target, in words for the peer; undefined: nothing. A path, an absolute http or https URL without
 * userinfo, and `*` for OPTIONS are right. What is let through becomes the URL that programs see: anything else could pass
 * for another scheme or host there.
 */
export function targetFault(method, target) {
    if (target.startsWith("/") || (target === "*" && method === "OPTIONS"))
        return undefined;
    // The Fetch standard forbids userinfo, but not every runtime's Request refuses it (RFC 9110 §4.2.4 wants it refused).
    if (hasUserinfo(target))
        return "The target has userinfo (RFC 9110 §4.2.4)";
    const lower = target.slice(0, 8).toLowerCase();
    if (lower.startsWith("http://") || lower === "https://")
        return undefined;
    return "The target is neither a path nor an http URL (RFC 9112 §3.2)";
}
/**
 * Whether a target in absolute form has userinfo: `http://user@host/`, also an empty one. Reads it as the URL standard
 * does, which takes any number of slashes and backslashes, none included, for the two of RFC 3986.
 */
export function hasUserinfo(target) {
    if (target.startsWith("/"))
        return false;
    const colon = target.indexOf(":");
    if (colon < 0)
        return false;
    let at = colon + 1;
    while (target[at] === "/" || target[at] === "\\")
        at++;
    for (; at < target.length; at++) {
        const character = target[at];
        if (character === "@")
            return true;
        if (character === "/" || character === "\\" || character === "?" || character === "#")
            return false;
    }
    return false;
}
