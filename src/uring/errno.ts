/** Numbers of failures by name: Linux's errno, and `RW_TLS_ERROR_*` of ringwire.h above them. The same on x86-64, arm64 and riscv64, the machines this library is built for. */

import { RingwireError, systemError } from "../errors.ts";
import { alertText, leftInHandshake, type TlsErrorCode, tlsError } from "../tls_errors.ts";

const NAMES: Readonly<Record<number, string>> = {
  1: "EPERM",
  2: "ENOENT",
  4: "EINTR",
  5: "EIO",
  9: "EBADF",
  11: "EAGAIN",
  12: "ENOMEM",
  13: "EACCES",
  14: "EFAULT",
  16: "EBUSY",
  17: "EEXIST",
  18: "EXDEV",
  19: "ENODEV",
  20: "ENOTDIR",
  22: "EINVAL",
  23: "ENFILE",
  24: "EMFILE",
  28: "ENOSPC",
  32: "EPIPE",
  36: "ENAMETOOLONG",
  38: "ENOSYS",
  40: "ELOOP",
  71: "EPROTO",
  74: "EBADMSG",
  84: "EILSEQ",
  88: "ENOTSOCK",
  90: "EMSGSIZE",
  91: "EPROTOTYPE",
  92: "ENOPROTOOPT",
  93: "EPROTONOSUPPORT",
  95: "ENOTSUP",
  97: "EAFNOSUPPORT",
  98: "EADDRINUSE",
  99: "EADDRNOTAVAIL",
  100: "ENETDOWN",
  101: "ENETUNREACH",
  102: "ENETRESET",
  103: "ECONNABORTED",
  104: "ECONNRESET",
  105: "ENOBUFS",
  106: "EISCONN",
  107: "ENOTCONN",
  108: "ESHUTDOWN",
  110: "ETIMEDOUT",
  111: "ECONNREFUSED",
  112: "EHOSTDOWN",
  113: "EHOSTUNREACH",
  114: "EALREADY",
  115: "EINPROGRESS",
  125: "ECANCELED",
};

/** `RW_TLS_ERROR_*`. */
const TLS_CODES: Readonly<Record<number, TlsErrorCode>> = {
  4097: "ERR_TLS_CERTIFICATE_EXPIRED",
  4098: "ERR_TLS_CERTIFICATE_NOT_YET_VALID",
  4099: "ERR_TLS_SELF_SIGNED",
  4100: "ERR_TLS_UNKNOWN_ISSUER",
  4101: "ERR_TLS_HOST_MISMATCH",
  4102: "ERR_TLS_CERTIFICATE",
  4103: "ERR_TLS_PIN_MISMATCH",
  4104: "ERR_TLS_NO_CERTIFICATE",
  4105: "ERR_TLS_VERSION",
  4106: "ERR_TLS_CIPHER",
  4107: "ERR_TLS_ALPN",
  4108: "ERR_TLS_ALERT",
  4109: "ERR_TLS_NOT_TLS",
  4110: "ERR_TLS_PROTOCOL",
  4111: "ERR_TLS_TRUNCATED",
  4112: "ERR_TLS_TIMEOUT",
  4113: "ERR_TLS_KEY_UPDATE",
};

/** Alerts that say what we would say ourselves, by number. */
const ALERT_CODES: Readonly<Record<number, TlsErrorCode>> = {
  70: "ERR_TLS_VERSION",
  120: "ERR_TLS_ALPN",
};

/** What is wrong with a certificate, by OpenSSL's `X509_V_ERR_*`: those that are left for `ERR_TLS_CERTIFICATE` and can happen. */
const CERTIFICATE_FAULTS: Readonly<Record<number, string>> = {
  7: "its signature is wrong",
  22: "its chain is too long",
  23: "it is revoked",
  25: "its chain is longer than an authority in it permits",
  26: "it is not meant for this purpose: extended key usage",
  28: "its authority is not trusted for this purpose",
  32: "a certificate in its chain may not sign certificates",
  34: "it has a critical extension that is not known here",
  47: "its name is outside of what its authority may sign",
  48: "its name is outside of what its authority may sign",
  66: "its key is too short",
  67: "a key in its chain is too short",
  68: "a signature in its chain uses a weak digest",
  79: "a certificate in its chain is not an authority's",
  94: "its elliptic curve has parameters of its own",
};

/** `rw_listen`: no folder for a Unix socket. */
export const ENOENT = 2;
export const ENOTDIR = 20;
/** `rw_wake_accept`: nobody there yet. */
export const EAGAIN = 11;
/** `rw_turn`: a garbage command was skipped. */
export const EBADMSG = 74;

/** The system's name of an errno, as `systemError` takes it: `errnoName(111)` is `"ECONNREFUSED"`. */
export function errnoName(number: number): string {
  return NAMES[number] ?? `errno ${number}`;
}

/**
 * The error of a socket. The shim says ENOSPC when its own table of sockets is full.
 *
 * @param action - What was tried, e.g. `Cannot connect to 127.0.0.1:80`.
 * @param errno - Or `RW_TLS_ERROR_*`.
 * @param detail - Of a failure of TLS; of ENOSPC: how many handshakes are under way, if that is what there is no room for.
 */
export function socketError(action: string, errno: number, detail = 0): RingwireError {
  const code = TLS_CODES[errno];
  if (code === "ERR_TLS_ALERT") return tlsError(ALERT_CODES[detail] ?? code, action, alertText(detail));
  if (code !== undefined) return tlsError(code, action, detailText(code, detail));
  const name = errnoName(errno);
  if (name !== "ENOSPC") return systemError(action, name);
  const why =
    detail > 0
      ? `${detail} handshakes are under way`
      : "the loop has as many sockets as maxConnections permits; raise that option";
  return new RingwireError("ERR_TOO_MANY_CONNECTIONS", `${action}: ${why}`);
}

/** The error of a TLS handshake: as {@link socketError}, but nothing that ends before it began was cut off. */
export function handshakeError(action: string, errno: number, detail: number): RingwireError {
  return TLS_CODES[errno] === "ERR_TLS_TRUNCATED"
    ? leftInHandshake(action)
    : socketError(action, errno, detail);
}

function detailText(code: TlsErrorCode, detail: number): string | undefined {
  if (code !== "ERR_TLS_CERTIFICATE") return undefined;
  return CERTIFICATE_FAULTS[detail] ?? `X509_V_ERR ${detail}`;
}
