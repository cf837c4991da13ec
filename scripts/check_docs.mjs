#!/usr/bin/env node
/**
 * Documentation check: every public symbol of every entry point is documented and typed explicitly, as
 * `deno doc --lint` sees it (the same rules JSR scores by).
 */
import { join } from "node:path";
import { entryPoints } from "./entry_points.mjs";
import { capture, ROOT } from "./setup/command.mjs";

const sources = entryPoints().map(({ source }) => source);
const result = capture(join(ROOT, "node_modules/.bin/deno"), ["doc", "--quiet", "--lint", ...sources], {
  env: { ...process.env, NO_COLOR: "1", RUST_BACKTRACE: "0" },
});
if (result.status !== 0) {
  // Deno also tells, at length, which packages behind tsconfig's "types" it cannot follow: of no use here.
  const lines = result.stderr.split("\n");
  const useful = lines.filter(
    (line, index) => !isWarning(line) && !(isWarning(lines[index - 1]) && /^\s+at /.test(line)),
  );
  console.error(useful.join("\n") || String(result.error ?? `deno doc ended with ${result.status}`));
  console.error("docs: public symbols need documentation and explicit types");
  process.exit(1);
}
console.log(`docs: every public symbol is documented (${sources.join(", ")})`);

function isWarning(line) {
  return line?.startsWith("Warning Failed resolving types") === true;
}
