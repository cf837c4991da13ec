/** Who gets what of dist/: the package `ringwire`, or one of its parts, see manifests.mjs. */
import { entryPoints } from "../entry_points.mjs";
import { scoped } from "./manifests.mjs";

/** The folder of the program. */
const PROGRAM = "cli/";

/**
 * Divides the files of dist/.
 *
 * @param files - Texts by path.
 * @returns The same of each package: those of `main` lie in its dist/, and lead to the parts in the place of what these have got.
 */
export function divide(files) {
  const packages = { main: {}, types: {}, cli: {} };
  for (const [path, text] of Object.entries(files)) {
    if (path.endsWith(".d.ts")) packages.types[path] = text;
    else if (path.startsWith(PROGRAM)) packages.cli[path.slice(PROGRAM.length)] = text;
    else packages.main[path] = text.replace(`"./${PROGRAM}mod.js"`, `"${scoped("cli")}"`);
  }
  for (const { key, stem } of entryPoints())
    packages.main[`${stem}.d.ts`] = `export * from "${scoped("types")}${key.slice(1)}";\n`;
  return packages;
}
