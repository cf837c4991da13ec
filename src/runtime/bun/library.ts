/** Opens the shim with bun:ffi. */

import { existsSync } from "node:fs";
import type { ArgumentType, LibraryFunctions, SymbolTable } from "../runtime.ts";
import { BUILD_ADVICE, libraryError } from "../system.ts";

const TYPES = { u32: "u32", i32: "i32", buffer: "ptr" } as const satisfies Record<ArgumentType, string>;

/** See {@link Runtime.openLibrary}. */
export function openLibrary<Table extends SymbolTable>(path: string, table: Table): LibraryFunctions<Table> {
  if (!existsSync(path)) throw libraryError(path, "there is no such file", BUILD_ADVICE);
  const declarations: Record<string, { args: ("u32" | "i32" | "ptr")[]; returns: "i32" }> = {};
  for (const [name, types] of Object.entries(table)) {
    declarations[name] = { args: types.map((type) => TYPES[type]), returns: "i32" };
  }
  // Not imported: the other runtimes load this file too and know no such module.
  const { dlopen } = process.getBuiltinModule("bun:ffi") as unknown as typeof import("bun:ffi");
  try {
    return dlopen(path, declarations).symbols as unknown as LibraryFunctions<Table>;
  } catch (cause) {
    throw libraryError(path, cause instanceof Error ? cause.message : String(cause), BUILD_ADVICE, cause);
  }
}
