/** Deno's own sockets: those of its node:net, for the reasons given there. */

import type { Socket } from "node:net";
import { systemError } from "../../errors.ts";
import type { Address } from "../../transport.ts";
import { netSockets } from "../net_sockets.ts";
import type { NativeSockets, Runtime } from "../runtime.ts";
import { endpointText } from "../socket_failure.ts";
import { system } from "../system.ts";

/** As much of the namespace as is used here. */
interface DenoSystem {
  readonly permissions: { querySync(descriptor: object): { readonly state: string } };
  readonly version: { readonly deno: string };
}

const deno = (globalThis as unknown as { Deno: DenoSystem }).Deno;

function isGranted(descriptor: object): boolean {
  return deno.permissions.querySync(descriptor).state === "granted";
}

/** Refuses what lacks a permission: Deno itself might ask the user. */
function checkPermission(action: string, address: Address): void {
  if (address.family !== "unix") {
    if (isGranted({ name: "net", host: endpointText(address) })) return;
    throw systemError(`${action} without --allow-net`, "EACCES");
  }
  const path = address.host;
  if (path.startsWith("\0")) {
    // An abstract name is no file.
    if (isGranted({ name: "net" })) return;
    throw systemError(`${action} without --allow-net`, "EACCES");
  }
  if (isGranted({ name: "read", path }) && isGranted({ name: "write", path })) return;
  throw systemError(`${action} without --allow-read and --allow-write`, "EACCES");
}

/** See {@link Runtime.resolve}. Refuses, too, rather than let Deno ask its user. */
export async function resolve(host: string): ReturnType<Runtime["resolve"]> {
  if (!isGranted({ name: "net" }) && !isGranted({ name: "net", host })) {
    // A list with "name:port" permits a connection by name, and ours go to addresses.
    throw systemError(`Cannot resolve "${host}" without --allow-net=${host}`, "EACCES");
  }
  return system.resolve(host);
}

/** As much as is used of what Deno's node:net has below a socket. */
interface Handle {
  readStop?(): unknown;
  readStart?(): unknown;
}

/** Pausing a TLS socket leaves Deno reading from the one below, without a limit (2.9.6: 200 MB in 2 s). */
function throttle(raw: Socket, isPaused: boolean): void {
  const handle = (raw as unknown as { _handle?: Handle | null })._handle;
  if (isPaused) handle?.readStop?.();
  else handle?.readStart?.();
}

/** Whether this Deno's node:net has no `onread`: it came with 2.8. */
export function lacksOnread(): boolean {
  const [major, minor] = deno.version.deno.split(".").map(Number);
  return major < 2 || (major === 2 && minor < 8);
}

/** {@link NativeSockets} of Deno. */
export const sockets: NativeSockets = netSockets({
  name: "Deno",
  lacking: ["ipv6Only"],
  bindErrors: { EINVAL: "EADDRNOTAVAIL" },
  checkPermission,
  lacksOnread,
  tls: {
    throttle,
    // Deno's TLS makes an end of a reset. Nobody has asked this socket for its address before, so it asks the system, and a reset one has none.
    isReset: (socket) => socket.remoteAddress === undefined,
    verifiesLate: true,
    forgetsVerification: true,
  },
});
