/** Opens the shim with koffi, which is loaded only here and only now: without it, native sockets still work. */

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { HERE } from "../library_search.ts";
import type { ArgumentType, LibraryFunctions, SymbolTable } from "../runtime.ts";
import { BUILD_ADVICE, libraryError } from "../system.ts";

/** As much of koffi as is used. */
interface Koffi {
  load(path: string): {
    func(name: string, result: string, parameters: string[]): (...args: unknown[]) => number;
  };
}

const TYPES: Readonly<Record<ArgumentType, string>> = { u32: "uint32_t", i32: "int32_t", buffer: "void *" };

/** What to do about Node's permission model. */
const ADDONS_ADVICE = "run with --allow-addons";

/** See {@link Runtime.openLibrary}. */
export function openLibrary<Table extends SymbolTable>(path: string, table: Table): LibraryFunctions<Table> {
  if (!existsSync(path)) throw libraryError(path, "there is no such file", BUILD_ADVICE);
  const koffi = loadKoffi(path);
  const functions: Record<string, (...args: (number | Uint8Array)[]) => number> = {};
  try {
    const library = koffi.load(path);
    for (const [name, types] of Object.entries(table)) {
      functions[name] = library.func(
        name,
        "int32_t",
        types.map((type) => TYPES[type]),
      );
    }
  } catch (cause) {
    throw libraryError(path, cause instanceof Error ? cause.message : String(cause), BUILD_ADVICE, cause);
  }
  return functions as LibraryFunctions<Table>;
}

/** Path of the shim in npm's package, whoever laid out node_modules; undefined if it is not installed. */
export function installedLibrary(packageName: string | undefined): string | undefined {
  if (packageName === undefined) return undefined;
  try {
    return createRequire(HERE).resolve(`${packageName}/libringwire.so`);
  } catch {
    return undefined;
  }
}

function loadKoffi(path: string): Koffi {
  try {
    return createRequire(HERE)("koffi") as Koffi;
  } catch (cause) {
    if ((cause as { code?: unknown }).code === "ERR_DLOPEN_DISABLED") {
      throw libraryError(path, "Node does not permit addons, and so not koffi", ADDONS_ADVICE, cause);
    }
    const why = "the package koffi, through which Node calls it, cannot be loaded";
    throw libraryError(path, why, "install it with `npm install koffi`", cause);
  }
}
