/** Opens the shim with Deno.dlopen, where --allow-ffi was given. */
import { BUILD_ADVICE, libraryError } from "../system.js";
/** What to do about the permission. */
export const FFI_ADVICE = "run with --allow-ffi";
const deno = globalThis.Deno;
/** See {@link Runtime.openLibrary}. */
export function openLibrary(path, table) {
    // dlopen would ask the user; a library must not.
    if (deno.permissions.querySync({ name: "ffi", path }).state !== "granted") {
        throw libraryError(path, "Deno does not permit it", FFI_ADVICE);
    }
    const declarations = {};
    for (const [name, types] of Object.entries(table)) {
        declarations[name] = { parameters: [...types], result: "i32" };
    }
    try {
        return deno.dlopen(path, declarations).symbols;
    }
    catch (cause) {
        throw libraryError(path, cause instanceof Error ? cause.message : String(cause), BUILD_ADVICE, cause);
    }
}
