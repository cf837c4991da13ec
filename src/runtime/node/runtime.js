/** Node. */
import process from "node:process";
import { libraryAdvice, libraryPackage, searchLibrary, usesMusl } from "../library_search.js";
import { system } from "../system.js";
import { installedLibrary, openLibrary } from "./library.js";
import { sockets } from "./sockets.js";
import { openWake } from "./wake.js";
/** {@link Runtime} of Node. */
export function nodeRuntime() {
    return {
        ...system,
        name: "node",
        version: process.versions.node,
        platform: process.platform,
        environment: (name) => process.env[name],
        sockets,
        openLibrary,
        libraryAdvice: () => libraryAdvice(libraryPackage(usesMusl())),
        findLibrary: () => searchLibrary(installedLibrary(libraryPackage(usesMusl()))),
        // Node 20 cannot connect to an abstract name; it takes a descriptor.
        wakeMode: "descriptor",
        openWake,
    };
}
