/**
 * The three runtimes, and how each starts a program of this checkout.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { capture, ROOT } from "./setup/command.mjs";
import { nodeProgram } from "./setup/npm_packages.mjs";

/** In the order in which things run. */
export const RUNTIMES = ["node", "bun", "deno"];

/** The words that start a JavaScript or TypeScript file under a runtime. */
export function runtimeCommand(runtime) {
  switch (runtime) {
    case "bun":
      return [join(ROOT, "node_modules/.bin/bun"), "--bun"];
    case "deno":
      return [join(ROOT, "node_modules/.bin/deno"), "run", "-A"];
    default:
      return [nodeProgram()];
  }
}

/**
 * The command that runs a TypeScript program of this checkout: Bun and Deno take it as it is, Node 20
 * takes the form that scripts/build.mjs has put under build/node.
 *
 * @param source - Path from the top, e.g. "examples/market_feed.ts".
 */
export function programCommand(runtime, source) {
  const path = runtime === "node" ? `build/node/${source.replace(/\.ts$/, ".js")}` : source;
  return [...runtimeCommand(runtime), join(ROOT, path)];
}

/** Environment for programs under build/node: from there the shim is not where src/ would look for it. */
export function programEnvironment(runtime) {
  const library = join(ROOT, "ffi/build/libringwire.so");
  if (runtime !== "node" || process.env.RINGWIRE_LIBRARY || !existsSync(library)) return {};
  return { RINGWIRE_LIBRARY: library };
}

/** The runtime's version, or undefined when it does not run. */
export function runtimeVersion(runtime) {
  const result = capture(runtimeCommand(runtime)[0], ["--version"]);
  if (result.status !== 0) return undefined;
  return /\d+\.\d+\.\d+\S*/.exec(result.stdout)?.[0];
}
