/**
 * The table of entry points must follow the sources, and see when a file has fallen behind.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

const script = new URL("../../scripts/entry_points.mjs", import.meta.url).href;
const { entryPoints, outdatedFiles } = (await import(script)) as {
  entryPoints(root?: string): { key: string; specifier: string; source: string }[];
  outdatedFiles(root?: string): Record<string, { exports?: Record<string, unknown> }>;
};

let root = "";

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "ringwire-entries-"));
  put("src/mod.ts", "");
  put("src/errors.ts", "");
  put("src/order_book/mod.ts", "");
  put("src/http/session.ts", "");
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

function put(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

test("an area with a mod.ts is an entry point, others are not", () => {
  expect(entryPoints(root).map(({ key, specifier, source }) => [key, specifier, source])).toEqual([
    [".", "ringwire", "src/mod.ts"],
    ["./order-book", "ringwire/order-book", "src/order_book/mod.ts"],
  ]);
});

test("a file that names other entry points is told, with what it should be", () => {
  const source = {
    ".": "./src/mod.ts",
    "./order-book": "./src/order_book/mod.ts",
    "./cli": "./src/cli/main.ts",
  };
  const names = { ringwire: "./src/mod.ts", "ringwire/order-book": "./src/order_book/mod.ts" };
  put("deno.json", JSON.stringify({ exports: source, imports: names }));
  const paths = { ringwire: ["./src/mod.ts"], "ringwire/order-book": ["./src/order_book/mod.ts"] };
  put("tsconfig.json", JSON.stringify({ compilerOptions: { strict: true, paths } }));
  put("package.json", JSON.stringify({ name: "ringwire", exports: { ".": "./dist/mod.js" } }));
  const outdated = outdatedFiles(root);
  expect(Object.keys(outdated)).toEqual(["package.json"]);
  expect(outdated["package.json"].exports?.["./order-book"]).toEqual({
    types: "./dist/order_book/mod.d.ts",
    default: "./dist/order_book/mod.js",
  });
});

test("this checkout agrees with itself", () => {
  expect(Object.keys(outdatedFiles())).toEqual([]);
});
