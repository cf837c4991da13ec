/**
 * The TypeScript programs of the benches as they are started: bundled, importing dist/. See bundle.mjs.
 */
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { build } from "../scripts/build.mjs";
import { runtimeCommand } from "../scripts/runtimes.mjs";
import { ROOT } from "../scripts/setup/command.mjs";

/** Makes what has changed. Returns a complaint, or undefined when all is well. */
export function buildPrograms() {
  return build("dist") ?? build("bench");
}

/**
 * How a runtime starts a program of the benches.
 *
 * @param source - Path from the top: TypeScript, or an .mjs that runs as it is.
 * @param words - Arguments of the runtime.
 * @returns Words to start, and variables to start them with.
 */
export function benchProgram(runtime, source, words = []) {
  const path = source.endsWith(".ts") ? `build/bench/programs/${basename(source, ".ts")}.js` : source;
  const library = join(ROOT, "ffi/build/libringwire.so");
  const isKnown = process.env.RINGWIRE_LIBRARY || !existsSync(library);
  return {
    command: [...runtimeCommand(runtime), ...words, join(ROOT, path)],
    // From there, the shim is not where the sources would look for it.
    environment: isKnown ? {} : { RINGWIRE_LIBRARY: library },
  };
}
