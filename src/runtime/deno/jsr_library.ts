/**
 * The shim for programs that have Ringwire from JSR, which knows no optional dependencies: npm's package with it is asked for when
 * this module is loaded, because `new Loop()` cannot wait. The npm form leaves this module out (scripts/packages/bundle.mjs).
 */

import { VERSION } from "../../version.ts";
import { libraryPackage } from "../library_search.ts";

/** As much of the namespace as is used here. */
interface DenoPermissions {
  readonly permissions: { querySync(descriptor: { name: "ffi" }): { readonly state: string } };
}

/** Its path; undefined where it is not needed, not permitted, or not to be had. */
export const jsrLibrary: string | undefined = await fetchLibrary();

async function fetchLibrary(): Promise<string | undefined> {
  const deno = (globalThis as unknown as { Deno?: DenoPermissions }).Deno;
  // From files comes a checkout, which has a build of its own.
  if (deno === undefined || import.meta.url.startsWith("file:")) return undefined;
  const packageName = libraryPackage(false);
  if (packageName === undefined || deno.permissions.querySync({ name: "ffi" }).state !== "granted")
    return undefined;
  try {
    const found = (await import(`npm:${packageName}@${VERSION}`)) as { readonly default: string };
    return found.default;
  } catch {
    return undefined;
  }
}
