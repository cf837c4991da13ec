/** Node's own sockets: node:net. */

import process from "node:process";
import { systemError } from "../../errors.ts";
import { netSockets } from "../net_sockets.ts";
import type { NativeSockets } from "../runtime.ts";

/** Whether this Node's permission model knows of networks: since 25. Before, every question about it is answered with no. */
const asksForNet = process.permission !== undefined && process.allowedNodeEnvironmentFlags.has("--allow-net");

/** Refuses what lacks a permission: Node itself says so in an exception of `listen` that nobody can catch. */
function checkPermission(action: string): void {
  if (asksForNet && !process.permission.has("net"))
    throw systemError(`${action} without --allow-net`, "EACCES");
}

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
/** Node has had SO_REUSEPORT since 23.1. */
const hasReusePort = major > 23 || (major === 23 && minor >= 1);

/** {@link NativeSockets} of Node. */
export const sockets: NativeSockets = netSockets({
  name: "Node",
  lacking: hasReusePort ? [] : ["reusePort"],
  bindErrors: {},
  checkPermission,
});
