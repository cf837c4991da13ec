/**
 * From what a program names (a host, a port, a path) to the addresses a transport takes.
 */
import { RingwireError } from "../errors.js";
/** The family of an IP literal, or undefined for a name. */
export function ipFamily(host) {
    if (host.includes(":"))
        return "ipv6";
    const parts = host.split(".");
    const isIpv4 = parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255);
    return isIpv4 ? "ipv4" : undefined;
}
/** Where a server listens. @throws RingwireError `ERR_HOST_NOT_FOUND`. */
export async function serverAddress(runtime, unix, hostname, port) {
    if (unix !== undefined)
        return { family: "unix", host: unix, port: 0 };
    const literal = ipFamily(hostname);
    if (literal !== undefined)
        return { family: literal, host: hostname, port };
    const [first] = await runtime.resolve(hostname);
    return { family: first.family, host: first.host, port };
}
/**
 * Where a client may connect to, in the order to try: families alternate, so that one broken family costs one
 * attempt (RFC 8305 §4). Undefined: the host is a name and must be resolved first.
 */
export function literalAddresses(host, port) {
    if (port === 0)
        return [{ family: "unix", host, port }];
    const family = ipFamily(host);
    return family === undefined ? undefined : [{ family, host, port }];
}
/** Resolves a name; see {@linkcode literalAddresses}. @throws RingwireError `ERR_HOST_NOT_FOUND`. */
export async function resolvedAddresses(runtime, host, port) {
    const found = await runtime.resolve(host);
    if (found.length === 0)
        throw new RingwireError("ERR_HOST_NOT_FOUND", `Cannot resolve "${host}": no address`);
    const preferred = found[0].family;
    const first = found.filter((each) => each.family === preferred);
    const second = found.filter((each) => each.family !== preferred);
    const ordered = [];
    for (let index = 0; index < Math.max(first.length, second.length); index++) {
        if (index < first.length)
            ordered.push({ ...first[index], port });
        if (index < second.length)
            ordered.push({ ...second[index], port });
    }
    return ordered;
}
