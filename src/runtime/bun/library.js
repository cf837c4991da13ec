/** Opens the shim with bun:ffi. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { HERE } from "../library_search.js";
import { BUILD_ADVICE, libraryError } from "../system.js";
const TYPES = { u32: "u32", i32: "i32", buffer: "ptr" };
/**
 * Path of the shim in npm's package, in a node_modules above this code; undefined if it is not there. Bun's own resolving might
 * install the package at that moment.
 */
export function installedLibrary(packageName) {
    if (packageName === undefined || !HERE.startsWith("file:"))
        return undefined;
    for (let folder = dirname(fileURLToPath(HERE));; folder = dirname(folder)) {
        const path = join(folder, "node_modules", packageName, "libringwire.so");
        if (existsSync(path))
            return path;
        if (folder === dirname(folder))
            return undefined;
    }
}
/** See {@link Runtime.openLibrary}. */
export function openLibrary(path, table) {
    if (!existsSync(path))
        throw libraryError(path, "there is no such file", BUILD_ADVICE);
    const declarations = {};
    for (const [name, types] of Object.entries(table)) {
        declarations[name] = { args: types.map((type) => TYPES[type]), returns: "i32" };
    }
    // Not imported: the other runtimes load this file too and know no such module.
    const { dlopen } = process.getBuiltinModule("bun:ffi");
    try {
        return dlopen(path, declarations).symbols;
    }
    catch (cause) {
        throw libraryError(path, cause instanceof Error ? cause.message : String(cause), BUILD_ADVICE, cause);
    }
}
