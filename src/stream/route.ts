/** The options that every connecting end takes, whatever it speaks: how its sockets are made, and TLS. */

import { readSystemSocketOptions, SYSTEM_SOCKET_OPTION_NAMES, type SystemSocketOptions } from "../options.ts";
import type { Recorder } from "../record/recorder.ts";
import type { ClientTlsSettings } from "../tls.ts";
import { type ClientTlsOptions, type Environment, readClientTls } from "../tls_options.ts";
import type { ConnectEndpoint } from "../transport.ts";

/** By which way a connection leaves this machine. */
export interface RouteOptions extends SystemSocketOptions {
  /** Local IP address to connect from. @default the system's choice */
  readonly localAddress?: string;
  /** Network interface to connect through (SO_BINDTODEVICE); io_uring only. @default the system's choice */
  readonly interface?: string;
  /**
   * Records what goes both ways (`ringwire/record`). A path stands for a recorder that is shared by all who name it, and closed behind the
   * last connection. @default not recorded
   */
  readonly record?: Recorder | string;
}

/** Names of {@linkcode RouteOptions}. */
export const ROUTE_OPTION_NAMES: readonly string[] = [
  ...SYSTEM_SOCKET_OPTION_NAMES,
  "localAddress",
  "interface",
  "record",
];

/** Picks and checks the {@linkcode RouteOptions} among other options; leaves out what was not given. */
export function readRoute(where: string, given: RouteOptions): Omit<ConnectEndpoint, "address"> {
  return {
    ...readSystemSocketOptions(where, given),
    ...(given.localAddress === undefined ? {} : { localAddress: given.localAddress }),
    ...(given.interface === undefined ? {} : { interface: given.interface }),
  };
}

/** For URLs without TLS: options of it would be relied on in vain. @throws TypeError when there are some. */
export function refuseTls(tls: ClientTlsOptions | undefined): void {
  if (tls === undefined) return;
  throw new TypeError(`Option "tls" is for wss:, https: and tls: URLs; this one asks for no TLS`);
}

/** The settings of TLS to a host. @throws TypeError, RangeError for what does not fit. */
export function readTls(
  host: string,
  given: ClientTlsOptions | undefined,
  environment: Environment,
): ClientTlsSettings {
  const settings = readClientTls(given ?? {}, host, environment);
  if (!settings.rejectUnauthorized) warnUnverified(host);
  return settings;
}

let hasWarned = false;

/** Once, however many connections there are: whoever looks at the console must see it, and see the rest too. */
function warnUnverified(host: string): void {
  if (hasWarned) return;
  hasWarned = true;
  console.warn(
    `ringwire: the certificate of ${host} is not verified (tls.rejectUnauthorized is false): anybody on the way can read and change everything. Trust the server's own authority with tls.ca instead.`,
  );
}
