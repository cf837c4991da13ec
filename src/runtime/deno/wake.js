/** The runtime's end of the wake-up socket: a Deno connection to an abstract Unix name, which needs --allow-net only. */
import { WakeConnection } from "../wake_connection.js";
const deno = globalThis.Deno;
/** See {@link Runtime.openWake}. */
export function openWake(source, opened, wake, failed) {
    const connection = new WakeConnection((connected) => connected.close(), failed);
    const fail = (error) => connection.fail(error);
    const buffer = new Uint8Array(64);
    const read = (connected) => {
        connected.read(buffer).then((count) => {
            if (count === null)
                fail("it was closed");
            else if (!connection.isClosed) {
                // The next read is asked for first: it is under way while the handlers run.
                read(connected);
                wake();
            }
        }, fail);
    };
    // An abstract name is no host that could be permitted by itself, and connecting would ask the user.
    if (deno.permissions.querySync({ name: "net" }).state !== "granted") {
        queueMicrotask(() => fail("Deno permits it only with --allow-net for every host"));
        return connection;
    }
    deno.connect({ transport: "unix", path: String(source) }).then((connected) => {
        if (!connection.connected(connected))
            return;
        read(connected);
        opened();
    }, fail);
    return connection;
}
