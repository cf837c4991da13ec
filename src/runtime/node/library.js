/** Opens the shim with koffi, which is loaded only here and only now: without it, native sockets still work. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { HERE } from "../library_search.js";
import { BUILD_ADVICE, libraryError } from "../system.js";
const TYPES = { u32: "uint32_t", i32: "int32_t", buffer: "void *" };
/** See {@link Runtime.openLibrary}. */
export function openLibrary(path, table) {
    if (!existsSync(path))
        throw libraryError(path, "there is no such file", BUILD_ADVICE);
    const koffi = loadKoffi(path);
    const functions = {};
    try {
        const library = koffi.load(path);
        for (const [name, types] of Object.entries(table)) {
            functions[name] = library.func(name, "int32_t", types.map((type) => TYPES[type]));
        }
    }
    catch (cause) {
        throw libraryError(path, cause instanceof Error ? cause.message : String(cause), BUILD_ADVICE, cause);
    }
    return functions;
}
/** Path of the shim in npm's package, whoever laid out node_modules; undefined if it is not installed. */
export function installedLibrary(packageName) {
    if (packageName === undefined)
        return undefined;
    try {
        return createRequire(HERE).resolve(`${packageName}/libringwire.so`);
    }
    catch {
        return undefined;
    }
}
function loadKoffi(path) {
    try {
        return createRequire(HERE)("koffi");
    }
    catch (cause) {
        const why = "the package koffi, through which Node calls it, cannot be loaded";
        throw libraryError(path, why, "install it with `npm install koffi`", cause);
    }
}
