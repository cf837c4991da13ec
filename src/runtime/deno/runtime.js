/** Deno. */
import process from "node:process";
import { libraryPackage } from "../library_search.js";
import { system } from "../system.js";
import { openLibrary } from "./library.js";
import { denoAdvice, searchLibrary } from "./library_search.js";
import { sockets } from "./sockets.js";
import { openWake } from "./wake.js";
/** {@link Runtime} of Deno. */
export function denoRuntime() {
    const deno = globalThis.Deno;
    return {
        ...system,
        name: "deno",
        version: deno.version.deno,
        platform: process.platform,
        environment(name) {
            // Reading would ask the user; a library must not.
            const { state } = deno.permissions.querySync({ name: "env", variable: name });
            return state === "granted" ? deno.env.get(name) : undefined;
        },
        sockets,
        openLibrary,
        // There is no Deno for musl; looking for it would need a permission.
        libraryAdvice: () => denoAdvice(libraryPackage(false)),
        findLibrary: () => searchLibrary(libraryPackage(false)),
        wakeMode: "abstract",
        openWake,
    };
}
