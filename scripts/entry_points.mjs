#!/usr/bin/env node
/**
 * What programs may import: src/mod.ts as `ringwire`, and src/AREA/mod.ts as `ringwire/AREA`. The files themselves are the
 * table; what package.json, deno.json and tsconfig.json say about them follows from it and is checked here.
 *
 * Usage: entry_points.mjs [--write]
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseOrExit } from "./arguments.mjs";
import { capture, ROOT } from "./setup/command.mjs";

const HELP = `Usage: node scripts/entry_points.mjs [--write]

Checks that package.json, deno.json and tsconfig.json name exactly the entry points that src has.

  --write   make them so`;

/** The name under which package.json is installed; JSR's is another. */
const NAME = "ringwire";

/**
 * @returns For each entry point: its key in an exports map, what programs write, its source and its stem under src and dist.
 */
export function entryPoints(root = ROOT) {
  const areas = readdirSync(join(root, "src"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(root, "src", entry.name, "mod.ts")))
    .map(({ name }) => ({
      key: `./${name.replaceAll("_", "-")}`,
      specifier: `${NAME}/${name.replaceAll("_", "-")}`,
      stem: `${name}/mod`,
    }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  const all = [{ key: ".", specifier: NAME, stem: "mod" }, ...areas];
  return all.map((entry) => ({ ...entry, source: `src/${entry.stem}.ts` }));
}

const each = (points, value) => Object.fromEntries(points.map(value));

/** The parts of each file that follow from the entry points: where they stand, and what they have to be. */
const DERIVED = [
  {
    file: "package.json",
    keys: ["exports"],
    value: (points) =>
      each(points, ({ key, stem }) => [key, { types: `./dist/${stem}.d.ts`, default: `./dist/${stem}.js` }]),
  },
  {
    file: "deno.json",
    keys: ["exports"],
    // JSR has no programs of packages: there it is `deno run jsr:@ringwire/ringwire/cli`.
    value: (points) => ({
      ...each(points, ({ key, source }) => [key, `./${source}`]),
      "./cli": "./src/cli/main.ts",
    }),
  },
  {
    // So that examples and programs of this checkout import the package by its name.
    file: "deno.json",
    keys: ["imports"],
    value: (points) => each(points, ({ specifier, source }) => [specifier, `./${source}`]),
  },
  {
    file: "tsconfig.json",
    keys: ["compilerOptions", "paths"],
    value: (points) => each(points, ({ specifier, source }) => [specifier, [`./${source}`]]),
  },
];

function replaced(document, [key, ...rest], value) {
  return { ...document, [key]: rest.length === 0 ? value : replaced(document[key], rest, value) };
}

/**
 * @returns What each file that is out of step should be, by its name. Empty when all agree.
 */
export function outdatedFiles(root = ROOT) {
  const points = entryPoints(root);
  const outdated = {};
  for (const file of new Set(DERIVED.map((part) => part.file))) {
    const document = JSON.parse(readFileSync(join(root, file), "utf8"));
    const wanted = DERIVED.filter((part) => part.file === file).reduce(
      (result, { keys, value }) => replaced(result, keys, value(points)),
      document,
    );
    if (JSON.stringify(wanted) !== JSON.stringify(document)) outdated[file] = wanted;
  }
  return outdated;
}

function writeDocument(file, document) {
  writeFileSync(join(ROOT, file), `${JSON.stringify(document, null, 2)}\n`);
  capture(join(ROOT, "node_modules/.bin/biome"), ["format", "--write", file]);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const options = parseOrExit(process.argv.slice(2), { write: "flag" }, HELP);
  const outdated = Object.entries(outdatedFiles());
  for (const [file, document] of outdated) {
    if (options.write) writeDocument(file, document);
    else
      console.error(
        `${file} does not name the entry points that src has: node scripts/entry_points.mjs --write`,
      );
  }
  if (outdated.length === 0 || options.write) {
    console.log(
      `entry points: ${entryPoints()
        .map(({ specifier }) => specifier)
        .join(", ")}`,
    );
  }
  process.exitCode = outdated.length > 0 && !options.write ? 1 : 0;
}
