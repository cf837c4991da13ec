/** `ringwire` and its parts have all of dist/ between them, and find each other. */
import { expect, test } from "vitest";

type Files = Record<string, string>;

const folder = new URL("../../../scripts/packages/", import.meta.url).href;
const { divide } = (await import(`${folder}parts.mjs`)) as {
  divide(files: Files): { main: Files; types: Files; cli: Files };
};
const { mainManifest, partManifest, PART_NAMES } = (await import(`${folder}manifests.mjs`)) as {
  mainManifest(): { version: string; dependencies: Record<string, string>; exports: Files };
  partManifest(name: string): { name: string; version: string; exports: Files };
  PART_NAMES: string[];
};

const BUILT: Files = {
  "cli.js": 'import { run } from "./cli/mod.js";\nimport * as library from "./shared/library.js";\n',
  "cli/mod.js": "export function run() {}",
  "feed/line.d.ts": "export interface Line {}",
  "feed/mod.d.ts": 'export * from "./line.js";',
  "mod.d.ts": "export declare class Loop {}",
  "mod.js": "export class Loop {}",
  "shared/library.js": 'export { Loop } from "../mod.js";',
};

test("declarations and program go to their parts as they are", () => {
  const { types, cli } = divide(BUILT);
  expect(Object.keys(types)).toEqual(["feed/line.d.ts", "feed/mod.d.ts", "mod.d.ts"]);
  expect(types["feed/mod.d.ts"]).toBe(BUILT["feed/mod.d.ts"]);
  expect(cli).toEqual({ "mod.js": BUILT["cli/mod.js"] });
});

test("the main package has the rest, and leads to its parts", () => {
  const { main } = divide(BUILT);
  expect(main["mod.js"]).toBe(BUILT["mod.js"]);
  expect(main["cli.js"]).toBe(
    'import { run } from "@ringwire/cli";\nimport * as library from "./shared/library.js";\n',
  );
  expect(main["mod.d.ts"]).toBe('export * from "@ringwire/types";\n');
  expect(main["feed/mod.d.ts"]).toBe('export * from "@ringwire/types/feed";\n');
  expect(Object.keys(main)).not.toContain("feed/line.d.ts");
});

test("every entry point has its declarations under the same name in the part, and nothing else is there", () => {
  const { exports } = partManifest("types");
  expect(Object.keys(exports)).toEqual(Object.keys(mainManifest().exports));
});

test("the main package asks for its parts in exactly its version", () => {
  const { version, dependencies } = mainManifest();
  const parts = PART_NAMES.map((name) => partManifest(name));
  expect(dependencies).toEqual(Object.fromEntries(parts.map(({ name }) => [name, version])));
  for (const part of parts) expect(part.version).toBe(version);
});
