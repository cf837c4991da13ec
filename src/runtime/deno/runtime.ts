/** Deno. */

import process from "node:process";
import { bufferUtf8Reader } from "../buffer_text.ts";
import { libraryPackage } from "../library_search.ts";
import type { Runtime } from "../runtime.ts";
import { system } from "../system.ts";
import { openLibrary } from "./library.ts";
import { denoAdvice, searchLibrary } from "./library_search.ts";
import { resolve, sockets } from "./sockets.ts";
import { openWake } from "./wake.ts";

/** As much of the namespace as is used here. */
interface DenoSystem {
  readonly version: { readonly deno: string };
  readonly env: { get(name: string): string | undefined };
  readonly permissions: {
    querySync(descriptor: { name: "env"; variable: string }): { readonly state: string };
  };
}

/** {@link Runtime} of Deno. */
export function denoRuntime(): Runtime {
  const deno = (globalThis as unknown as { Deno: DenoSystem }).Deno;
  return {
    ...system,
    name: "deno",
    version: deno.version.deno,
    platform: process.platform,
    // Its Buffer reads byte by byte.
    readUtf8: bufferUtf8Reader(128),
    environment(name) {
      // Reading would ask the user; a library must not.
      const { state } = deno.permissions.querySync({ name: "env", variable: name });
      return state === "granted" ? deno.env.get(name) : undefined;
    },
    onExit(callback) {
      // `process.exit` comes to it as well; of `Deno.exit` node:process does not hear.
      globalThis.addEventListener("unload", callback);
      return () => globalThis.removeEventListener("unload", callback);
    },
    sockets,
    resolve,
    openLibrary,
    // There is no Deno for musl; looking for it would need a permission.
    libraryAdvice: () => denoAdvice(libraryPackage(false)),
    findLibrary: () => searchLibrary(libraryPackage(false)),
    wakeMode: "abstract",
    openWake,
  };
}
