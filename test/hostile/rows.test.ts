/** Every row of the list, and every known hole, has a test in this folder that names it; and no test names another. */

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { IN_C, KNOWN_HOLES, ROWS } from "./rows.ts";

const folder = fileURLToPath(new URL("./", import.meta.url));
const root = fileURLToPath(new URL("../../", import.meta.url));

/** What stands in brackets, or as an id, in strings of the test files: names of tests, or of rows of their tables. */
function named(pattern: RegExp): Set<string> {
  const found = new Set<string>();
  for (const file of readdirSync(folder)) {
    if (!file.endsWith(".test.ts") || file === "rows.test.ts") continue;
    const text = readFileSync(`${folder}${file}`, "utf8");
    for (const line of text.split("\n")) {
      const code = line.replace(/^\s*(\/\/|\*|\/\*).*/, "");
      for (const [, id] of code.matchAll(pattern)) found.add(id!);
    }
  }
  return found;
}

test("every row has a test of its name, and every name a row", () => {
  const sections = [...new Set(Object.keys(ROWS).map((id) => id.split(".")[0]))].join("|");
  const seen = named(new RegExp(`["\`[]((?:${sections})\\.[a-z0-9-]+)["\\]]`, "g"));
  expect([...seen].sort()).toEqual(Object.keys(ROWS).sort());
});

test("every known hole has a test of its name, and every name a hole", () => {
  const seen = named(/((?:CVE-\d{4}-\d+)|(?:GHSA-[a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{4}))/g);
  expect([...seen].sort()).toEqual(Object.keys(KNOWN_HOLES).sort());
});

test("what the shim's own tests in C show is still there", () => {
  for (const [row, places] of Object.entries(IN_C)) {
    expect(Object.keys(ROWS)).toContain(row);
    for (const [file, ...names] of places) {
      const text = readFileSync(`${root}ffi/${file}`, "utf8");
      for (const name of names) expect(text, `${row}: ${file}`).toContain(name);
    }
  }
});
