/** The JSR package as it is published: the sources as they are, and a README whose links lead somewhere from there. */
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../setup/command.mjs";
import { mainManifest } from "./manifests.mjs";
import { publishedReadme } from "./readme.mjs";

/**
 * Copies what deno.json publishes to a fresh folder.
 *
 * @returns The folder, for `deno publish`.
 */
export function stageJsr(folder = join(ROOT, "build/jsr")) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const { publish } = JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8"));
  for (const name of publish.include) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  const { repository, version } = mainManifest();
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  writeFileSync(join(folder, "README.md"), publishedReadme(readme, repository, version));
  // The types that the sources are checked against.
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  return folder;
}
