/** Addresses as the runtimes' sockets tell them, as ours. */

import type { Address } from "../transport.ts";

/** The address of an end of a Unix socket; "" is the end without a name. */
export function unixAddress(host: string): Address {
  return { host, port: 0, family: "unix" };
}

/** The address of an end of a TCP socket, or undefined when the socket is gone. @param family - `IPv4` or `IPv6`. */
export function ipAddress(
  host: string | undefined,
  port: number | undefined,
  family: string | undefined,
): Address | undefined {
  if (host === undefined || port === undefined) return undefined;
  return { host, port, family: family === "IPv6" ? "ipv6" : "ipv4" };
}
