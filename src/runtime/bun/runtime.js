/** Bun. */
import process from "node:process";
import { libraryAdvice, libraryPackage, searchLibrary, usesMusl } from "../library_search.js";
import { system } from "../system.js";
import { bun } from "./bun.js";
import { installedLibrary, openLibrary } from "./library.js";
import { sockets } from "./sockets.js";
import { openWake } from "./wake.js";
/** {@link Runtime} of Bun. */
export function bunRuntime() {
    return {
        ...system,
        name: "bun",
        version: bun.version,
        platform: process.platform,
        environment: (name) => process.env[name],
        sockets,
        openLibrary,
        libraryAdvice: () => libraryAdvice(libraryPackage(usesMusl())),
        findLibrary: () => searchLibrary(installedLibrary(libraryPackage(usesMusl()))),
        wakeMode: "abstract",
        openWake,
    };
}
