/** Where Deno finds the shim, without ever asking for a permission. */

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { besideBundle, besideExecutable, builtLibrary, libraryAdvice } from "../library_search.ts";
import { jsrLibrary } from "./jsr_library.ts";
import { FFI_ADVICE } from "./library.ts";

/** As much of the namespace as is used here. */
interface DenoSystem {
  /** Whether `deno compile` made this program. */
  readonly build: { readonly standalone: boolean };
  readonly permissions: {
    querySync(descriptor: { name: "read" | "ffi"; path?: string }): { readonly state: string };
  };
}

const deno = (globalThis as unknown as { Deno: DenoSystem }).Deno;

function isGranted(descriptor: { name: "read" | "ffi"; path?: string }): boolean {
  return deno.permissions.querySync(descriptor).state === "granted";
}

/** In a project's node_modules, or in Deno's cache of npm packages. */
const INSTALLED = /\/(node_modules|npm)\//;

/** See {@link Runtime.findLibrary}. */
export function searchLibrary(packageName: string | undefined): string | undefined {
  return installedLibrary(packageName) ?? jsrLibrary ?? libraryOfProgram();
}

/** See {@link Runtime.libraryAdvice}. From JSR nothing was asked for without the permission. */
export function denoAdvice(packageName: string | undefined): string {
  return isGranted({ name: "ffi" }) ? libraryAdvice(packageName) : FFI_ADVICE;
}

/** The package that npm installed along with ours: resolving needs no permission. */
function installedLibrary(packageName: string | undefined): string | undefined {
  if (packageName === undefined) return undefined;
  try {
    return fileURLToPath(import.meta.resolve(`${packageName}/libringwire.so`));
  } catch {
    return undefined;
  }
}

/** Of a program that no package manager has installed: a compiled one, a checkout or a bundle. */
function libraryOfProgram(): string | undefined {
  const places = deno.build.standalone ? [besideExecutable()] : [builtLibrary(), besideBundle()];
  const paths = places.filter((path) => path !== undefined);
  const found = paths.find((path) => isGranted({ name: "read", path }) && existsSync(path));
  if (found !== undefined) return found;
  // Where nobody may look, whether it is there is for dlopen to say, unless npm has installed us, which puts nothing there.
  return paths.find((path) => !isGranted({ name: "read", path }) && !INSTALLED.test(path));
}
