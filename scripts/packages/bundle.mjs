#!/usr/bin/env node
/**
 * The JavaScript of dist/: one module per entry point, the program `ringwire`, and what they share. Bundled because a
 * hundred small files take longer to load than the rest of the way to the first message, and minified because of the size that is
 * published; names of functions and classes stay, for stack traces.
 */
import { chmodSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { rolldown } from "rolldown";
import { entryPoints } from "../entry_points.mjs";
import { ROOT } from "../setup/command.mjs";
import { asFunction } from "./program_function.mjs";

const DIST = join(ROOT, "dist");
/** What the program is handed of the library. As deep as src/runtime, see below. */
const LIBRARY = "shared/library";

/** On Deno an npm installation finds its packages by itself, and an await at the top would keep CommonJS programs from loading us. */
const withoutJsr = {
  name: "without-jsr",
  load: (id) => (id.endsWith("/deno/jsr_library.ts") ? "export const jsrLibrary = undefined;" : null),
};

/** @returns The paths of the sources that went into it, from the top of the checkout. */
async function bundle(input, plugins) {
  const build = await rolldown({ cwd: ROOT, input, external: /^node:/, plugins, platform: "neutral" });
  const { output } = await build.write({
    dir: DIST,
    format: "esm",
    // As deep as src/runtime: where the shim of a checkout lies is said relative to this code.
    chunkFileNames: "shared/[name].js",
    comments: false,
    minify: { compress: true, mangle: { keepNames: true }, codegen: { removeWhitespace: true } },
  });
  await build.close();
  return output.flatMap(({ moduleIds }) => moduleIds.map((id) => relative(ROOT, id)));
}

const points = Object.fromEntries(entryPoints().map(({ stem, source }) => [stem, join(ROOT, source)]));
const library = new Set(
  await bundle({ ...points, [LIBRARY]: join(ROOT, "src/cli/library.ts") }, [withoutJsr]),
);
const program = await bundle({ "cli/mod": join(ROOT, "src/cli/main.ts") }, [
  asFunction("run", "./library.ts"),
]);
const copied = program.filter((path) => library.has(path));
if (copied.length > 0)
  throw new Error(`The program has a copy of ${copied.join(", ")}: src/cli/library.ts is the way to it`);

const launcher = [
  "#!/usr/bin/env node",
  'import { run } from "./cli/mod.js";',
  `import * as library from "./${LIBRARY}.js";`,
  "",
  "await run(library);",
];
writeFileSync(join(DIST, "cli.js"), `${launcher.join("\n")}\n`);
chmodSync(join(DIST, "cli.js"), 0o755);
