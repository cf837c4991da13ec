/**
 * Where the shim is looked for when nobody names one: npm's package for this platform, beside the program, the build of a checkout.
 */

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";

const FILE = "libringwire.so";
/** Where this code lies. Bundles in CommonJS form do not know: there the program's own file stands for it. */
export const HERE: string = import.meta.url ?? pathToFileURL(process.argv[1] ?? "./").href;

/** The source and what dist/ makes of it are as deep. */
const IN_CHECKOUT = /\/(src\/runtime|dist\/shared)\/[^/]+$/;

/**
 * npm's package with the shim for this machine, e.g. `@ringwire/linux-x64-gnu`; undefined where none is made.
 *
 * @param isMusl - Whether this process uses musl as its C library.
 */
export function libraryPackage(isMusl: boolean): string | undefined {
  const { platform, arch } = process;
  if (platform !== "linux" || (arch !== "x64" && arch !== "arm64")) return undefined;
  return `@ringwire/linux-${arch}-${isMusl ? "musl" : "gnu"}`;
}

/** Whether this process was loaded with musl's loader. Looks at the process and not for files: a system may have both C libraries. */
export function usesMusl(): boolean {
  if (process.platform !== "linux") return false;
  try {
    return readFileSync("/proc/self/maps", "latin1").includes("/ld-musl-");
  } catch {
    return false;
  }
}

/** See {@link Runtime.libraryAdvice}. */
export function libraryAdvice(packageName: string | undefined): string {
  const prebuilt =
    packageName === undefined
      ? "for this machine there is no package with it"
      : `install the package ${packageName}, put its file beside a bundled or compiled program`;
  return `${prebuilt}, build it with \`make -C ffi\`, or name it with the option \`library\` or RINGWIRE_LIBRARY`;
}

/**
 * The first place that has the shim, for runtimes that may look at any file.
 *
 * @param installed - What the runtime knows of an installed package.
 */
export function searchLibrary(installed: string | undefined): string | undefined {
  const candidates = [installed, besideBundle(), besideExecutable(), builtLibrary()];
  return candidates.find((path) => path !== undefined && existsSync(path));
}

/** Into a bundle's folder the shim follows it. Undefined when this code was not loaded from files. */
export function besideBundle(): string | undefined {
  return besideHere(`./${FILE}`);
}

/** A compiled program has it in the executable's folder. */
export function besideExecutable(): string {
  return join(dirname(process.execPath), FILE);
}

/** Where the shim lies in a checkout, whether or not it was built; undefined where this code is no part of one. */
export function builtLibrary(): string | undefined {
  return IN_CHECKOUT.test(HERE) ? besideHere(`../../ffi/build/${FILE}`) : undefined;
}

function besideHere(path: string): string | undefined {
  const url = new URL(path, HERE);
  return url.protocol === "file:" ? fileURLToPath(url) : undefined;
}
