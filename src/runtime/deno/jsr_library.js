/**
 * The shim for programs that have Ringwire from JSR, which knows no optional dependencies: npm's package with it is asked for when
 * this module is loaded, because `new Loop()` cannot wait. The npm form leaves this module out (scripts/packages/bundle.mjs).
 */
var __rewriteRelativeImportExtension = (this && this.__rewriteRelativeImportExtension) || function (path, preserveJsx) {
    if (typeof path === "string" && /^\.\.?\//.test(path)) {
        return path.replace(/\.(tsx)$|((?:\.d)?)((?:\.[^./]+?)?)\.([cm]?)ts$/i, function (m, tsx, d, ext, cm) {
            return tsx ? preserveJsx ? ".jsx" : ".js" : d && (!ext || !cm) ? m : (d + ext + "." + cm.toLowerCase() + "js");
        });
    }
    return path;
};
import { VERSION } from "../../version.js";
import { libraryPackage } from "../library_search.js";
/** Its path; undefined where it is not needed, not permitted, or not to be had. */
export const jsrLibrary = await fetchLibrary();
async function fetchLibrary() {
    const deno = globalThis.Deno;
    // From files comes a checkout, which has a build of its own.
    if (deno === undefined || import.meta.url.startsWith("file:"))
        return undefined;
    const packageName = libraryPackage(false);
    if (packageName === undefined || deno.permissions.querySync({ name: "ffi" }).state !== "granted")
        return undefined;
    try {
        const found = (await import(__rewriteRelativeImportExtension(`npm:${packageName}@${VERSION}`)));
        return found.default;
    }
    catch {
        return undefined;
    }
}
