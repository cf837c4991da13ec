/** How trouble with a runtime's socket is put into words and codes: the same on every runtime. */

import { RingwireError, systemError } from "../errors.ts";
import type { Address, ConnectEndpoint, ListenEndpoint } from "../transport.ts";
import { checkPath } from "./unix_path.ts";

/** `127.0.0.1:80`, `[::1]:80` or the path: for messages. */
export function endpointText(address: Address): string {
  if (address.family === "unix") return address.host.replace(/^\0/, "@");
  return address.family === "ipv6" ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** Turns what a runtime threw into an error of ours. */
export function socketFailure(action: string, error: unknown): RingwireError {
  if (error instanceof RingwireError) return error;
  const { code, name } = error as { code?: unknown; name?: unknown };
  if (typeof code === "string") return systemError(action, code, error);
  // Deno gives permission errors a class and no code.
  const isRefused = name === "NotCapable" || name === "PermissionDenied";
  return systemError(action, isRefused ? "EACCES" : String(name), error);
}

/** What a connection was doing when it failed. */
export function lostText(peer: Address | undefined): string {
  return peer === undefined ? "Lost a connection" : `Lost the connection to ${endpointText(peer)}`;
}

/** Options that only the io_uring transport honours. */
const URING_ONLY = ["quickAck", "busyPollUs", "sendBufferBytes", "receiveBufferBytes", "interface"] as const;

/**
 * Refuses options that would be ignored.
 *
 * @param lacking - Options that this runtime has no means for, beside those that only io_uring has.
 * @throws RingwireError `ERR_UNSUPPORTED`; RangeError for a port out of range and a path that is too long.
 */
export function checkEndpoint(
  runtime: string,
  endpoint: ListenEndpoint | ConnectEndpoint,
  lacking: readonly string[],
): void {
  checkPath(endpoint.address);
  const { port } = endpoint.address;
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new RangeError(`Cannot use port "${port}"; it must be 0 to 65535`);
  }
  const options = endpoint as unknown as Readonly<Record<string, unknown>>;
  for (const name of [...URING_ONLY, ...lacking]) {
    const value = options[name];
    if (value === undefined || value === false || value === 0) continue;
    throw new RingwireError(
      "ERR_UNSUPPORTED",
      `Cannot honour the option ${name} with the sockets of ${runtime}; leave it out, or use the io_uring transport`,
    );
  }
}
