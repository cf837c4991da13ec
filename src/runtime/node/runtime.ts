/** Node. */

import process from "node:process";
import { libraryAdvice, libraryPackage, searchLibrary, usesMusl } from "../library_search.ts";
import type { Runtime } from "../runtime.ts";
import { system } from "../system.ts";
import { installedLibrary, openLibrary } from "./library.ts";
import { sockets } from "./sockets.ts";
import { openWake } from "./wake.ts";

/** {@link Runtime} of Node. */
export function nodeRuntime(): Runtime {
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
