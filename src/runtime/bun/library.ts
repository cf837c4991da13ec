/** Opens the shim with bun:ffi. */

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { HERE } from "../library_search.ts";
import type { ArgumentType, LibraryFunctions, SymbolTable } from "../runtime.ts";
import { BUILD_ADVICE, libraryError } from "../system.ts";

/** As much of the module as is used here. */
interface BunFfi {
  dlopen(
    path: string,
    symbols: Record<string, { args: string[]; returns: "i32" }>,
  ): { readonly symbols: Record<string, (...args: (number | Uint8Array)[]) => number> };
}

const TYPES = { u32: "u32", i32: "i32", buffer: "ptr" } as const satisfies Record<ArgumentType, string>;

/**
 * Path of the shim in npm's package, in a node_modules above this code; undefined if it is not there. Bun's own resolving might
 * install the package at that moment.
 */
export function installedLibrary(packageName: string | undefined): string | undefined {
  if (packageName === undefined || !HERE.startsWith("file:")) return undefined;
  for (let folder = dirname(fileURLToPath(HERE)); ; folder = dirname(folder)) {
    const path = join(folder, "node_modules", packageName, "libringwire.so");
    if (existsSync(path)) return path;
    if (folder === dirname(folder)) return undefined;
  }
}

/** See {@link Runtime.openLibrary}. */
export function openLibrary<Table extends SymbolTable>(path: string, table: Table): LibraryFunctions<Table> {
  if (!existsSync(path)) throw libraryError(path, "there is no such file", BUILD_ADVICE);
  const declarations: Record<string, { args: string[]; returns: "i32" }> = {};
  for (const [name, types] of Object.entries(table)) {
    declarations[name] = { args: types.map((type) => TYPES[type]), returns: "i32" };
  }
  // Not imported: the other runtimes load this file too and know no such module.
  const { dlopen } = process.getBuiltinModule("bun:ffi") as unknown as BunFfi;
  try {
    return dlopen(path, declarations).symbols as LibraryFunctions<Table>;
  } catch (cause) {
    throw libraryError(path, cause instanceof Error ? cause.message : String(cause), BUILD_ADVICE, cause);
  }
}
