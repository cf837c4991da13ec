/**
 * A program that sets the checkout up by itself runs before any package is installed: nothing that it imports may come from one.
 */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const SCRIPTS = new URL("../../scripts/", import.meta.url);
const BENCHES = new URL("../../bench/", import.meta.url);

/** The specifiers of a module's static imports. */
function importsOf(module: URL): string[] {
  const text = readFileSync(module, "utf8");
  return [...text.matchAll(/^(?:import|export)\b[^"';]*?\bfrom "([^"]+)";|^import "([^"]+)";/gm)].map(
    ([, from, bare]) => from ?? bare ?? "",
  );
}

/** Every package that a program and the modules it leads to import. */
function packagesOf(module: URL, seen = new Set<string>()): string[] {
  if (seen.has(module.href)) return [];
  seen.add(module.href);
  return importsOf(module).flatMap((specifier) => {
    if (specifier.startsWith("node:")) return [];
    return specifier.startsWith(".") ? packagesOf(new URL(specifier, module), seen) : [specifier];
  });
}

const programs = [SCRIPTS, BENCHES].flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".mjs"))
    .map((name) => new URL(name, folder))
    .filter((module) => importsOf(module).some((specifier) => specifier.endsWith("/setup.mjs"))),
);

test("the programs that set up are found, and so are imports of packages", () => {
  expect(programs.map(({ pathname }) => pathname.split("/").pop())).toEqual(
    expect.arrayContaining(["test.mjs", "start.mjs", "build.mjs", "run.mjs"]),
  );
  expect(packagesOf(new URL("packages/bundle.mjs", SCRIPTS))).toContain("rolldown");
});

test.each(programs.map((module) => [module.pathname.split("/").slice(-2).join("/"), module] as const))(
  "%s imports nothing that set-up has yet to install",
  (_name, module) => {
    expect(packagesOf(module)).toEqual([]);
  },
);
