/** The runtime's end of the wake-up socket: a Bun socket connected to an abstract Unix name. */
import { WakeConnection } from "../wake_connection.js";
import { bun } from "./bun.js";
/** See {@link Runtime.openWake}. */
export function openWake(source, opened, wake, failed) {
    const connection = new WakeConnection((socket) => void socket.end(), failed);
    bun
        .connect({
        unix: String(source),
        socket: {
            open(socket) {
                if (connection.connected(socket))
                    opened();
            },
            data: wake,
            error: (_, error) => connection.fail(error),
            close: () => connection.fail("it was closed"),
        },
    })
        .catch((error) => connection.fail(error));
    return connection;
}
