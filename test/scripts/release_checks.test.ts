/** What must stop a release. */
import { expect, test } from "vitest";

const script = new URL("../../scripts/packages/release_checks.mjs", import.meta.url).href;
const { checkChangelog, checkPackages, checkVersions, statedVersions } = (await import(script)) as {
  checkChangelog(text: string, version: string): string[];
  checkPackages(packages: { platform?: string }[]): string[];
  checkVersions(versions: Record<string, string>): string[];
  statedVersions(): Record<string, string>;
};

const platforms: string[] = ["linux-x64-gnu", "linux-arm64-gnu", "linux-x64-musl", "linux-arm64-musl"];

test("everything in this checkout states the same version", () => {
  expect(Object.keys(statedVersions())).toContain("src/version.ts");
  expect(checkVersions(statedVersions())).toEqual([]);
});

test("a version that differs is told, with where it stands", () => {
  expect(checkVersions({ "package.json": "1.2.3", "deno.json": "1.2.2", "src/version.ts": "1.2.3" })).toEqual(
    ["deno.json says version 1.2.2, package.json says 1.2.3"],
  );
});

test("the changelog needs an entry for the version, with a date and a text", () => {
  const text =
    "# Changes\n\n## 1.1.0, 2026-11-21\n\n- News.\n\n## 1.0.0, not yet released\n\n- First.\n\n## 0.9.0, 2026-01-01\n";
  expect(checkChangelog(text, "1.1.0")).toEqual([]);
  expect(checkChangelog(text, "1.0.0")).toEqual([
    expect.stringMatching(/has no date\. The day is yours to decide/),
  ]);
  expect(checkChangelog(text, "0.9.0")).toEqual([expect.stringMatching(/says nothing/)]);
  expect(checkChangelog(text, "1.1")).toEqual(["CHANGELOG.md has no entry for 1.1"]);
});

test("every platform needs its package", () => {
  const all = platforms.map((platform) => ({ platform }));
  expect(checkPackages([...all, {}])).toEqual([]);
  expect(checkPackages([...all.slice(1), {}])).toEqual([
    expect.stringMatching(/^@ringwire\/linux-x64-gnu has no shim/),
  ]);
});
