import { readFileSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { VERSION } from "../src/version.ts";
import { killPrograms, runCli } from "./cli/child_program.ts";

afterEach(killPrograms);

test("the version is the one of package.json and deno.json", async () => {
  for (const name of ["package.json", "deno.json"]) {
    const text = readFileSync(new URL(`../${name}`, import.meta.url), "utf8");
    expect((JSON.parse(text) as { version: string }).version).toBe(VERSION);
  }
  expect(await runCli(["--version"])).toEqual({ code: 0, stdout: `${VERSION}\n`, stderr: "" });
});
