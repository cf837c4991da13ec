/** Opens the shim with Deno.dlopen, where --allow-ffi was given. */

import { libraryAdvice, libraryPackage } from "../library_search.ts";
import type { ArgumentType, LibraryFunctions, SymbolTable } from "../runtime.ts";
import { libraryError } from "../system.ts";

/** As much of the namespace as is used here. */
interface DenoFfi {
  readonly permissions: { querySync(descriptor: { name: "ffi"; path: string }): { readonly state: string } };
  dlopen(
    path: string,
    symbols: Record<string, { parameters: ArgumentType[]; result: "i32" }>,
  ): { readonly symbols: Record<string, (...args: (number | Uint8Array)[]) => number> };
}

/** What to do about the permission. */
export const FFI_ADVICE = "run with --allow-ffi";

const deno = (globalThis as unknown as { Deno: DenoFfi }).Deno;

/** See {@link Runtime.openLibrary}. */
export function openLibrary<Table extends SymbolTable>(path: string, table: Table): LibraryFunctions<Table> {
  // dlopen would ask the user; a library must not.
  if (deno.permissions.querySync({ name: "ffi", path }).state !== "granted") {
    throw libraryError(path, "Deno does not permit it", FFI_ADVICE);
  }
  const declarations: Record<string, { parameters: ArgumentType[]; result: "i32" }> = {};
  for (const [name, types] of Object.entries(table)) {
    declarations[name] = { parameters: [...types], result: "i32" };
  }
  try {
    return deno.dlopen(path, declarations).symbols as unknown as LibraryFunctions<Table>;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    // Without --allow-read nobody has looked whether the file is there (library_search.ts).
    throw libraryError(path, why, libraryAdvice(libraryPackage(false)), cause);
  }
}
