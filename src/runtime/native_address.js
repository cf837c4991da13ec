/** Addresses as the runtimes' sockets tell them, as ours. */
/** The address of an end of a Unix socket; "" is the end without a name. */
export function unixAddress(host) {
    return { host, port: 0, family: "unix" };
}
/** The address of an end of a TCP socket, or undefined when the socket is gone. @param family - `IPv4` or `IPv6`. */
export function ipAddress(host, port, family) {
    if (host === undefined || port === undefined)
        return undefined;
    return { host, port, family: family === "IPv6" ? "ipv6" : "ipv4" };
}
