/** Where Deno finds the shim, without ever asking for a permission. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { builtLibrary, libraryAdvice } from "../library_search.js";
import { jsrLibrary } from "./jsr_library.js";
import { FFI_ADVICE } from "./library.js";
function isGranted(descriptor) {
    const { permissions } = globalThis.Deno;
    return permissions.querySync(descriptor).state === "granted";
}
/** In a project's node_modules, or in Deno's cache of npm packages. */
const INSTALLED = /\/(node_modules|npm)\//;
/** See {@link Runtime.findLibrary}. */
export function searchLibrary(packageName) {
    return installedLibrary(packageName) ?? jsrLibrary ?? readableBuild();
}
/** See {@link Runtime.libraryAdvice}. From JSR nothing was asked for without the permission. */
export function denoAdvice(packageName) {
    return isGranted({ name: "ffi" }) ? libraryAdvice(packageName) : FFI_ADVICE;
}
/** The package that npm installed along with ours: resolving needs no permission. */
function installedLibrary(packageName) {
    if (packageName === undefined)
        return undefined;
    try {
        return fileURLToPath(import.meta.resolve(`${packageName}/libringwire.so`));
    }
    catch {
        return undefined;
    }
}
function readableBuild() {
    const path = builtLibrary();
    if (path === undefined)
        return undefined;
    if (isGranted({ name: "read", path }))
        return existsSync(path) ? path : undefined;
    // Nobody may look. What npm has not installed is a checkout: whether it was built is for dlopen to say.
    return INSTALLED.test(path) ? undefined : path;
}
