/** Names of Linux errno numbers. The same on x86-64, arm64 and riscv64, the machines this library is built for. */

import { RingwireError, systemError } from "../errors.ts";

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
 */
export function socketError(action: string, errno: number): RingwireError {
  const name = errnoName(errno);
  if (name !== "ENOSPC") return systemError(action, name);
  return new RingwireError(
    "ERR_TOO_MANY_CONNECTIONS",
    `${action}: the loop has as many sockets as maxConnections permits; raise that option`,
  );
}
