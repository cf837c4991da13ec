/** What is the same on all three runtimes, through the node:* modules that all of them have. */
import { hash, randomFillSync } from "node:crypto";
import { channel } from "node:diagnostics_channel";
import { lookup } from "node:dns/promises";
import { rootCertificates } from "node:tls";
import { RingwireError } from "../errors.js";
import { openZlibCodec } from "./zlib_codec.js";
/** The members of {@link Runtime} that need no runtime's own API. */
export const system = {
    rootCertificates: () => rootCertificates,
    nowMs: () => performance.now(),
    randomFill(bytes) {
        randomFillSync(bytes);
    },
    sha1Base64: (text) => hash("sha1", text, "base64"),
    openCodec: openZlibCodec,
    defer(callback) {
        setImmediate(callback);
    },
    setTimer(callback, delayMs) {
        const timer = setTimeout(callback, delayMs);
        unref(timer);
        return () => clearTimeout(timer);
    },
    stayAlive() {
        // The only thing all three wait for without a descriptor: a timer, of the longest period there is.
        const timer = setInterval(() => undefined, 2 ** 31 - 1);
        return () => clearInterval(timer);
    },
    channel,
    async resolve(host) {
        try {
            const found = await lookup(host, { all: true, verbatim: true });
            return found.map(({ address, family }) => ({
                host: address,
                family: family === 6 ? "ipv6" : "ipv4",
            }));
        }
        catch (cause) {
            throw new RingwireError("ERR_HOST_NOT_FOUND", `Cannot resolve "${host}": no such host; check the name`, {
                cause,
            });
        }
    },
};
/** Deno's global timers are numbers, with a function of its own; Node's and Bun's are objects. */
function unref(timer) {
    if (typeof timer === "number") {
        globalThis.Deno.unrefTimer(timer);
    }
    else
        timer.unref();
}
/** The error of a shim that cannot be loaded. */
export function libraryError(path, why, advice, cause) {
    return new RingwireError("ERR_LIBRARY", `Cannot load the shim "${path}": ${why}; ${advice}`, { cause });
}
/** What to do about a shim that is missing or broken. */
export const BUILD_ADVICE = "build it with `make -C ffi`, or name another one with the option `library` or RINGWIRE_LIBRARY";
