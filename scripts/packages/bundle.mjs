#!/usr/bin/env node
/**
 * The JavaScript of dist/: one module per entry point, the program `ringwire`, and what they share. Bundled because a
 * hundred small files take longer to load than the rest of the way to the first message, and minified because of the size that is
 * published; names of functions and classes stay, for stack traces.
 */
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { rolldown } from "rolldown";
import { entryPoints } from "../entry_points.mjs";
import { ROOT } from "../setup/command.mjs";

const PROGRAM = "cli";
const input = Object.fromEntries(entryPoints().map(({ stem, source }) => [stem, join(ROOT, source)]));

/** On Deno an npm installation finds its packages by itself, and an await at the top would keep CommonJS programs from loading us. */
const withoutJsr = {
  name: "without-jsr",
  load: (id) => (id.endsWith("/deno/jsr_library.ts") ? "export const jsrLibrary = undefined;" : null),
};

const bundle = await rolldown({
  cwd: ROOT,
  input: { ...input, [PROGRAM]: join(ROOT, "src/cli/main.ts") },
  external: /^node:/,
  plugins: [withoutJsr],
  platform: "neutral",
});
await bundle.write({
  dir: join(ROOT, "dist"),
  format: "esm",
  // As deep as src/runtime: where the shim of a checkout lies is said relative to this code.
  chunkFileNames: "shared/[name]-[hash].js",
  banner: (chunk) => (chunk.name === PROGRAM ? "#!/usr/bin/env node" : ""),
  comments: false,
  minify: { compress: true, mangle: { keepNames: true }, codegen: { removeWhitespace: true } },
});
await bundle.close();
chmodSync(join(ROOT, "dist", `${PROGRAM}.js`), 0o755);
