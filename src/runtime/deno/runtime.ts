/** Deno. */

import process from "node:process";
import type { Runtime } from "../runtime.ts";
import { builtLibrary, system } from "../system.ts";
import { openLibrary } from "./library.ts";
import { sockets } from "./sockets.ts";
import { openWake } from "./wake.ts";

/** As much of the namespace as is used here. */
interface DenoSystem {
  readonly version: { readonly deno: string };
  readonly env: { get(name: string): string | undefined };
  readonly permissions: {
    querySync(descriptor: { name: "env"; variable: string }): { readonly state: string };
  };
}

const deno = (globalThis as unknown as { Deno: DenoSystem }).Deno;

/** {@link Runtime} of Deno. */
export const runtime: Runtime = {
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
  // Whether the file is there is for dlopen to say: looking needs a permission of its own.
  findLibrary: builtLibrary,
  wakeMode: "abstract",
  openWake,
};
