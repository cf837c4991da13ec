/** Bun. */

import process from "node:process";
import { libraryAdvice, libraryPackage, searchLibrary, usesMusl } from "../library_search.ts";
import type { Runtime } from "../runtime.ts";
import { system } from "../system.ts";
import { bun } from "./bun.ts";
import { installedLibrary, openLibrary } from "./library.ts";
import { sockets } from "./sockets.ts";
import { openWake } from "./wake.ts";

/** {@link Runtime} of Bun. */
export function bunRuntime(): Runtime {
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
