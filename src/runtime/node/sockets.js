/** Node's own sockets: node:net. */
import { netSockets } from "../net_sockets.js";
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
/** Node has had SO_REUSEPORT since 23.1. */
const hasReusePort = major > 23 || (major === 23 && minor >= 1);
/** {@link NativeSockets} of Node. */
export const sockets = netSockets({
    name: "Node",
    lacking: hasReusePort ? [] : ["reusePort"],
    bindErrors: {},
    checkPermission() { },
});
