#!/usr/bin/env node
/**
 * Makes build/bench/programs: the TypeScript programs of the benches as JavaScript. What they import as "ringwire" stays an import, of dist/: measured
 * is what is published, on every runtime, and not the sources, which run up to a tenth slower as so many modules.
 */
import { readdirSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { rolldown } from "rolldown";
import { entryPoints } from "../scripts/entry_points.mjs";
import { ROOT } from "../scripts/setup/command.mjs";

const OUTPUT = join(ROOT, "build/bench/programs");
const published = Object.fromEntries(
  entryPoints().map(({ stem, specifier }) => [specifier, relative(OUTPUT, join(ROOT, `dist/${stem}.js`))]),
);
const sources = ["bench", "bench/peers"].flatMap((folder) =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(ROOT, folder, name)),
);

const bundle = await rolldown({
  cwd: ROOT,
  input: Object.fromEntries(sources.map((source) => [basename(source, ".ts"), source])),
  // Packages as well, of which the repository's own is one.
  external: /^[^./]/,
  platform: "neutral",
});
await bundle.write({ dir: OUTPUT, format: "esm", paths: published });
await bundle.close();
