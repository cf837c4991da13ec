/** Writes `struct rw_endpoint` and reads addresses back: where text and numbers of the socket API meet. */
import { ENDPOINT_HOST_OFFSET, ENDPOINT_INTERFACE_BYTES, ENDPOINT_INTERFACE_OFFSET, ENDPOINT_IPV6_ONLY, ENDPOINT_KEEP_ALIVE, ENDPOINT_LOCAL_BYTES, ENDPOINT_LOCAL_OFFSET, ENDPOINT_NO_DELAY, ENDPOINT_OFFSET, ENDPOINT_QUICK_ACK, ENDPOINT_REUSE_PORT, ENDPOINT_TLS_NAME_BYTES, ENDPOINT_TLS_NAME_OFFSET, ENDPOINT_TLS_OFFSET, FAMILY_IPV4, FAMILY_IPV6, FAMILY_UNIX, } from "./layout.js";
const FAMILIES = { ipv4: FAMILY_IPV4, ipv6: FAMILY_IPV6, unix: FAMILY_UNIX };
/** `sun_path` has 108 bytes, the last one a NUL. */
const MAX_UNIX_PATH_BYTES = 107;
const MAX_IP_TEXT_BYTES = 63;
const DEFAULT_BACKLOG = 1_024;
const encoder = new TextEncoder();
/**
 * Fills in the endpoint of `rw_listen`.
 *
 * @param tlsContext - Of `rw_tls_open`; 0: no TLS.
 * @throws RangeError for a host, port or text that does not fit.
 */
export function writeListenEndpoint(bytes, endpoint, tlsContext = 0) {
    const fields = writeEndpoint(bytes, endpoint.address, endpoint);
    if (endpoint.reusePort === true)
        fields[2] |= ENDPOINT_REUSE_PORT;
    if (endpoint.ipv6Only === true)
        fields[2] |= ENDPOINT_IPV6_ONLY;
    fields[3] = endpoint.backlog ?? DEFAULT_BACKLOG;
    writeTls(bytes, fields, tlsContext, endpoint.tls, "");
}
/** Fills in the endpoint of `rw_connect`; see {@link writeListenEndpoint}. */
export function writeConnectEndpoint(bytes, endpoint, tlsContext = 0) {
    const fields = writeEndpoint(bytes, endpoint.address, endpoint);
    fields[9] = writeText(bytes, ENDPOINT_LOCAL_OFFSET, ENDPOINT_LOCAL_BYTES - 1, "local address", endpoint.localAddress ?? "");
    // IFNAMSIZ counts the closing NUL.
    fields[10] = writeText(bytes, ENDPOINT_INTERFACE_OFFSET, ENDPOINT_INTERFACE_BYTES - 1, "interface", endpoint.interface ?? "");
    writeTls(bytes, fields, tlsContext, endpoint.tls, endpoint.tls?.servername ?? "");
}
function writeTls(bytes, fields, context, settings, name) {
    fields[11] = context;
    const more = new Uint32Array(bytes.buffer, bytes.byteOffset + ENDPOINT_OFFSET + ENDPOINT_TLS_OFFSET, 2);
    more[0] = settings?.handshakeTimeoutMs ?? 0;
    more[1] = writeText(bytes, ENDPOINT_TLS_NAME_OFFSET, ENDPOINT_TLS_NAME_BYTES - 1, "server name", name);
}
function writeEndpoint(bytes, address, options) {
    const { family, port } = address;
    if (!Number.isInteger(port) || port < 0 || port > 65_535) {
        throw new RangeError(`Cannot use port "${port}"; it must be 0 to 65535`);
    }
    const fields = new Uint32Array(bytes.buffer, bytes.byteOffset + ENDPOINT_OFFSET, ENDPOINT_HOST_OFFSET >>> 2);
    fields.fill(0);
    fields[0] = FAMILIES[family];
    fields[1] = family === "unix" ? 0 : port;
    if (options.noDelay !== false)
        fields[2] |= ENDPOINT_NO_DELAY;
    if (options.quickAck === true)
        fields[2] |= ENDPOINT_QUICK_ACK;
    if (options.keepAliveMs !== undefined && options.keepAliveMs > 0) {
        fields[2] |= ENDPOINT_KEEP_ALIVE;
        fields[6] = Math.max(1, Math.round(options.keepAliveMs / 1_000));
    }
    fields[4] = options.sendBufferBytes ?? 0;
    fields[5] = options.receiveBufferBytes ?? 0;
    fields[7] = options.busyPollUs ?? 0;
    const maxBytes = family === "unix" ? MAX_UNIX_PATH_BYTES : MAX_IP_TEXT_BYTES;
    fields[8] = writeText(bytes, ENDPOINT_HOST_OFFSET, maxBytes, "host", address.host);
    return fields;
}
/** Texts travel with their length; the bytes behind them do not matter. */
function writeText(bytes, offset, maxBytes, what, text) {
    const encoded = encoder.encode(text);
    if (encoded.length > maxBytes) {
        throw new RangeError(`Cannot use ${what} "${text}"; it is ${encoded.length} bytes long, ${maxBytes} fit`);
    }
    bytes.set(encoded, ENDPOINT_OFFSET + offset);
    return encoded.length;
}
/**
 * Parses what `rw_address` wrote: `127.0.0.1 8080`, `::1 8080`, or the path of a Unix socket.
 *
 * @param isUnix - What kind of socket it is: a path may look like anything.
 */
export function readAddress(text, isUnix) {
    if (isUnix)
        return { host: text, port: 0, family: "unix" };
    const space = text.lastIndexOf(" ");
    const host = text.slice(0, space);
    return { host, port: Number(text.slice(space + 1)), family: host.includes(":") ? "ipv6" : "ipv4" };
}
/** `127.0.0.1:80`, `[::1]:80` or the path: for messages. */
export function addressText(address) {
    if (address.family === "unix")
        return address.host.replace(/^\0/, "@");
    return address.family === "ipv6" ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
