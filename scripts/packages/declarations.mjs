/**
 * The declarations of dist/: of all that tsc makes, those that a program which imports an entry point gets to see.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { entryPoints } from "../entry_points.mjs";
import { ROOT } from "../setup/command.mjs";

const TYPES = join(ROOT, "build/types");
const DIST = join(ROOT, "dist");
/** `from "./x.ts"` and `import("./x.ts")`. */
const RELATIVE = /((?:from |import\()")(\.[^"]+)\.ts"/g;

/** Copies from build/types what the entry points lead to. */
export function copyDeclarations() {
  const waiting = entryPoints().map(({ stem }) => `${stem}.d.ts`);
  const seen = new Set(waiting);
  for (const path of waiting) {
    const text = readFileSync(join(TYPES, path), "utf8");
    for (const [, , specifier] of text.matchAll(RELATIVE)) {
      const target = join(dirname(path), `${specifier}.d.ts`);
      if (seen.has(target)) continue;
      seen.add(target);
      waiting.push(target);
    }
    mkdirSync(dirname(join(DIST, path)), { recursive: true });
    writeFileSync(join(DIST, path), text.replace(RELATIVE, '$1$2.js"'));
  }
}
