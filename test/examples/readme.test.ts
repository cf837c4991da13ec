/** What the README and the guide show has to work. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
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

const guide: string = readFileSync(new URL("../../GUIDE.md", import.meta.url), "utf8");

/** The programs of the guide that need nothing but this machine. */
const programs = [...guide.matchAll(/^## (.+)$|^```js\n(import[\s\S]+?)^```/gm)].reduce(
  ({ title, found }, [, heading, program]) => {
    const isWhole = program !== undefined && !/readFileSync|\.example/.test(program);
    if (isWhole) found.push({ title, program });
    return { title: heading ?? title, found };
  },
  { title: "", found: [] as { title: string; program: string }[] },
).found;

test.each(programs)(
  "the guide's program on $title runs as it stands, and ends",
  async ({ title, program }) => {
    const file = `build/readme/guide_${title.replaceAll(/\W+/g, "_")}.mjs`;
    mkdirSync(new URL("../../build/readme/", import.meta.url), { recursive: true });
    writeFileSync(new URL(`../../${file}`, import.meta.url), program);
    expect(await new ChildProgram(file, []).ended).toMatchObject({ code: 0, stderr: "" });
  },
);

test("every command that the guide names exists", async () => {
  const names = new Set([...guide.matchAll(/^ {4}ringwire (\w+)/gm)].map(([, name]) => name));
  expect(names.size).toBeGreaterThan(2);
  for (const name of names) expect((await runCli([name, "--help"])).code).toBe(0);
});

test("links within and between the documents lead somewhere", () => {
  const anchors = (text: string): string[] =>
    [...text.matchAll(/^#+ (.+)$/gm)].map(
      ([, title]) =>
        `#${title
          .toLowerCase()
          .replaceAll(/[^\w\- ]/g, "")
          .replaceAll(" ", "-")}`,
    );
  const texts: Record<string, string> = { "README.md": readme, "GUIDE.md": guide };
  for (const [name, text] of Object.entries(texts)) {
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      const [file, anchor] = target.split("#");
      const path = new URL(`../../${file === "" ? name : file}`, import.meta.url);
      expect(existsSync(path), `${name}: ${target}`).toBe(true);
      if (anchor !== undefined)
        expect(anchors(readFileSync(path, "utf8")), `${name}: ${target}`).toContain(`#${anchor}`);
    }
  }
});
