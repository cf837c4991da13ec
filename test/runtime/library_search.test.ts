import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { expect, test } from "vitest";
import { runtime } from "../../src/runtime/detect.ts";
import {
  besideBundle,
  besideExecutable,
  builtLibrary,
  libraryAdvice,
  libraryPackage,
  searchLibrary,
  usesMusl,
} from "../../src/runtime/library_search.ts";

const hasPackage: boolean =
  process.platform === "linux" && (process.arch === "x64" || process.arch === "arm64");

test.runIf(hasPackage)("each C library has a package of its own", () => {
  expect(libraryPackage(false)).toBe(`@ringwire/linux-${process.arch}-gnu`);
  expect(libraryPackage(true)).toBe(`@ringwire/linux-${process.arch}-musl`);
});

test.skipIf(hasPackage)("where no shim is made there is no package", () => {
  expect(libraryPackage(false)).toBeUndefined();
});

test("what to do without a shim names the package, or says that there is none", () => {
  expect(libraryAdvice("@ringwire/linux-x64-musl")).toMatch(
    /^install the package @ringwire\/linux-x64-musl,/,
  );
  expect(libraryAdvice(undefined)).toMatch(/^for this machine there is no package with it,/);
  expect(runtime.libraryAdvice()).toBe(libraryAdvice(libraryPackage(usesMusl())));
});

test("the build of a checkout, beside a bundle and beside an executable are three places", () => {
  expect(builtLibrary()).toMatch(/\/ffi\/build\/libringwire\.so$/);
  expect(besideBundle()).toMatch(/\/src\/runtime\/libringwire\.so$/);
  expect(besideExecutable()).toBe(join(dirname(process.execPath), "libringwire.so"));
});

test("an installed package comes before the build of the checkout, if it is there", () => {
  const built = searchLibrary(undefined);
  if (built !== undefined) expect(built).toMatch(/\/ffi\/build\/libringwire\.so$/);
  expect(searchLibrary("/no/such/libringwire.so")).toBe(built);
  const folder = mkdtempSync(join(tmpdir(), "ringwire-"));
  try {
    const path = join(folder, "libringwire.so");
    writeFileSync(path, "");
    expect(searchLibrary(path)).toBe(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
