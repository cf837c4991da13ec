/** Opening the shim: the C functions, after their version was checked. */

import { RingwireError } from "../errors.ts";
import type { LibraryFunctions, Runtime } from "../runtime/runtime.ts";
import { ABI_SYMBOLS, ABI_VERSION, SYMBOLS } from "./symbols.ts";

/** The functions of the shim. */
export type Shim = LibraryFunctions<typeof SYMBOLS>;

/**
 * Opens the shim.
 *
 * @param path - The shared library; undefined: the default search found none.
 * @throws RingwireError `ERR_LIBRARY` when it is missing, cannot be loaded, or speaks another ABI.
 */
export function openShim(runtime: Runtime, path: string | undefined): Shim {
  if (path === undefined) {
    throw new RingwireError(
      "ERR_LIBRARY",
      "Cannot find the io_uring shim (libringwire.so); build it with `make -C ffi`, or name it with the option `library` or RINGWIRE_LIBRARY",
    );
  }
  const version = runtime.openLibrary(path, ABI_SYMBOLS).rw_abi_version();
  if (version !== ABI_VERSION) {
    throw new RingwireError(
      "ERR_LIBRARY",
      `Cannot use the shim "${path}": it speaks ABI ${version}, this version of Ringwire speaks ABI ${ABI_VERSION}; build it again with \`make -C ffi\``,
    );
  }
  return runtime.openLibrary(path, SYMBOLS);
}
