/** What the README shows has to work. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { ChildProgram, killPrograms, runCli } from "../cli/child_program.ts";

afterEach(killPrograms);

const readme: string = readFileSync(new URL("../../README.md", import.meta.url), "utf8");

test("its first program runs as it stands, but for the port", async () => {
  const [, program] = /```js\n([\s\S]+?)```/.exec(readme) as RegExpExecArray;
  expect(program).toContain("port: 3000");
  const folder = new URL("../../build/readme/", import.meta.url);
  mkdirSync(folder, { recursive: true });
  writeFileSync(new URL("feed.mjs", folder), program.replace("port: 3000", "port: 0"));
  const { code, stdout, stderr } = await new ChildProgram("build/readme/feed.mjs", []).ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/^ws:\/\/127\.0\.0\.1:\d+\/ over (uring|native): .+\nwelcome\nyou said hello\n$/);
});

test("every command that it names exists", async () => {
  const names = new Set([...readme.matchAll(/^ {4}ringwire (\w+)/gm)].map(([, name]) => name));
  expect(names.size).toBeGreaterThan(2);
  for (const name of names) expect((await runCli([name, "--help"])).code).toBe(0);
});
