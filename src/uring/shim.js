/** Opening the shim: the C functions, after their version was checked. */
import { RingwireError } from "../errors.js";
import { ABI_SYMBOLS, ABI_VERSION, SYMBOLS } from "./symbols.js";
/**
 * Which shim a program uses: the one it names, else the one that the environment names, else the one that is found. What somebody
 * has named is not replaced by another when it does not work.
 */
export function chooseShim(runtime, library) {
    return library ?? (runtime.environment("RINGWIRE_LIBRARY") || undefined) ?? runtime.findLibrary();
}
/**
 * Opens the shim.
 *
 * @param path - The shared library; undefined: the default search found none.
 * @throws RingwireError `ERR_LIBRARY` when it is missing, cannot be loaded, or speaks another ABI.
 */
export function openShim(runtime, path) {
    if (path === undefined) {
        throw new RingwireError("ERR_LIBRARY", `Cannot find the io_uring shim (libringwire.so); ${runtime.libraryAdvice()}`);
    }
    const version = runtime.openLibrary(path, ABI_SYMBOLS).rw_abi_version();
    if (version !== ABI_VERSION) {
        throw new RingwireError("ERR_LIBRARY", `Cannot use the shim "${path}": it speaks ABI ${version}, this version of Ringwire speaks ABI ${ABI_VERSION}; install the package with it in the version of Ringwire itself, or build it again with \`make -C ffi\``);
    }
    return runtime.openLibrary(path, SYMBOLS);
}
