#!/usr/bin/env node
/** `npm run reference`: the API reference as pages, in dist/reference, from the docstrings of every entry point. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { parseOrExit } from "./arguments.mjs";
import { entryPoints } from "./entry_points.mjs";
import { runtimeCommand } from "./runtimes.mjs";
import { capture, ROOT, tail } from "./setup/command.mjs";
import { setUpOrExit } from "./setup.mjs";

const HELP = `Usage: npm run reference

Leaves the API reference in dist/reference; index.html is where to begin.

  --help    this text`;

parseOrExit(process.argv.slice(2), {}, HELP);
await setUpOrExit();
const output = join(ROOT, "dist/reference");
rmSync(output, { recursive: true, force: true });
const sources = entryPoints().map(({ source }) => source);
const [deno] = runtimeCommand("deno");
const result = capture(deno, [
  "doc",
  "--quiet",
  "--html",
  "--name=Ringwire",
  `--output=${output}`,
  ...sources,
]);
if (result.status !== 0) {
  console.error(tail(result.stderr, 20));
  process.exit(1);
}
console.log("reference: dist/reference/index.html is ready");
