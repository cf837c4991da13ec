/** Deno's own sockets: those of its node:net, for the reasons given there. */
import { systemError } from "../../errors.js";
import { netSockets } from "../net_sockets.js";
import { endpointText } from "../socket_failure.js";
const deno = globalThis.Deno;
function isGranted(descriptor) {
    return deno.permissions.querySync(descriptor).state === "granted";
}
/** Refuses what lacks a permission: Deno itself might ask the user. */
function checkPermission(action, address) {
    if (address.family !== "unix") {
        if (isGranted({ name: "net", host: endpointText(address) }))
            return;
        throw systemError(`${action} without --allow-net`, "EACCES");
    }
    const path = address.host;
    if (path.startsWith("\0")) {
        // An abstract name is no file.
        if (isGranted({ name: "net" }))
            return;
        throw systemError(`${action} without --allow-net`, "EACCES");
    }
    if (isGranted({ name: "read", path }) && isGranted({ name: "write", path }))
        return;
    throw systemError(`${action} without --allow-read and --allow-write`, "EACCES");
}
/** Pausing a TLS socket leaves Deno reading from the one below, without a limit (2.9.6: 200 MB in 2 s). */
function throttle(raw, isPaused) {
    const handle = raw._handle;
    if (isPaused)
        handle?.readStop?.();
    else
        handle?.readStart?.();
}
/** {@link NativeSockets} of Deno. */
export const sockets = netSockets({
    name: "Deno",
    lacking: ["ipv6Only"],
    bindErrors: { EINVAL: "EADDRNOTAVAIL" },
    checkPermission,
    tls: {
        throttle,
        // Deno's TLS makes an end of a reset. Nobody has asked this socket for its address before, so it asks the system, and a reset one has none.
        isReset: (socket) => socket.remoteAddress === undefined,
        verifiesLate: true,
        forgetsVerification: true,
    },
});
