/** The runtime's end of the wake-up socket: a descriptor watched by node:net. */
import { Socket } from "node:net";
/** See {@link Runtime.openWake}. */
export function openWake(source, opened, wake, failed) {
    let isClosed = false;
    const fail = (error) => {
        if (!isClosed)
            failed(error);
    };
    // With `onread` no Buffer is made and no stream event runs per byte. The types know it for connects only.
    const options = {
        fd: Number(source),
        readable: true,
        writable: false,
        onread: {
            buffer: new Uint8Array(64),
            callback() {
                wake();
                return true;
            },
        },
    };
    const socket = new Socket(options);
    socket.on("error", fail);
    socket.on("close", () => fail("it was closed"));
    socket.resume();
    socket.unref();
    opened();
    return {
        setAlive(alive) {
            if (alive)
                socket.ref();
            else
                socket.unref();
        },
        close() {
            isClosed = true;
            socket.destroy();
        },
    };
}
