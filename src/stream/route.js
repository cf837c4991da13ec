/** The options that every connecting end takes, whatever it speaks: how its sockets are made, and TLS. */
import { readSystemSocketOptions, SYSTEM_SOCKET_OPTION_NAMES } from "../options.js";
import { readClientTls } from "../tls_options.js";
/** Names of {@linkcode RouteOptions}. */
export const ROUTE_OPTION_NAMES = [
    ...SYSTEM_SOCKET_OPTION_NAMES,
    "localAddress",
    "interface",
    "record",
];
/** Picks and checks the {@linkcode RouteOptions} among other options; leaves out what was not given. */
export function readRoute(where, given) {
    return {
        ...readSystemSocketOptions(where, given),
        ...(given.localAddress === undefined ? {} : { localAddress: given.localAddress }),
        ...(given.interface === undefined ? {} : { interface: given.interface }),
    };
}
/** For URLs without TLS: options of it would be relied on in vain. @throws TypeError when there are some. */
export function refuseTls(tls) {
    if (tls === undefined)
        return;
    throw new TypeError(`Option "tls" is for wss:, https: and tls: URLs; this one asks for no TLS`);
}
/** The settings of TLS to a host. @throws TypeError, RangeError for what does not fit. */
export function readTls(host, given, environment) {
    const settings = readClientTls(given ?? {}, host, environment);
    if (!settings.rejectUnauthorized)
        warnUnverified(host);
    return settings;
}
let hasWarned = false;
/** Once, however many connections there are: whoever looks at the console must see it, and see the rest too. */
function warnUnverified(host) {
    if (hasWarned)
        return;
    hasWarned = true;
    console.warn(`ringwire: the certificate of ${host} is not verified (tls.rejectUnauthorized is false): anybody on the way can read and change everything. Trust the server's own authority with tls.ca instead.`);
}
