/** Every `@example` of the public docstrings type-checks and runs. */
import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeAll, expect, test } from "vitest";
import { runtime } from "../../src/runtime/detect.ts";
import { ChildProgram, killPrograms } from "../cli/child_program.ts";

const root: string = fileURLToPath(new URL("../../", import.meta.url));
/** A folder per runtime: suites may run side by side. */
const folder: string = `build/docstrings/${runtime.name}`;
const EXAMPLE = /@example\n[^`@]*```ts\n([\s\S]+?)```/g;

afterEach(killPrograms);

interface Example {
  readonly name: string;
  readonly source: string;
}

function findExamples(): Example[] {
  const examples: Example[] = [];
  for (const path of readdirSync(join(root, "src"), { recursive: true }) as string[]) {
    // Inside of the library there are examples too, for those who change it: they import no package.
    if (!path.endsWith(".ts") || path.startsWith("protocol/")) continue;
    const text = readFileSync(join(root, "src", path), "utf8");
    for (const [index, [, body]] of [...text.matchAll(EXAMPLE)].entries()) {
      const name = `${path.replace(/\.ts$/, "").replaceAll("/", "-")}-${index + 1}`;
      examples.push({ name, source: body.replace(/^ *\* ?/gm, "") });
    }
  }
  return examples;
}

const examples: Example[] = findExamples();

beforeAll(() => {
  rmSync(join(root, folder), { recursive: true, force: true });
  mkdirSync(join(root, folder), { recursive: true });
  for (const { name, source } of examples) writeFileSync(join(root, folder, `${name}.ts`), source);
  const runner = examples.map(({ name }) => `await import("./${name}.js");\nconsole.log("ran ${name}");\n`);
  writeFileSync(join(root, folder, "run.ts"), `${runner.join("")}export {};\n`);
  const configuration = {
    extends: "../../../tsconfig.json",
    // Node 20 knows no `using`.
    compilerOptions: {
      ...{ noEmit: false, declaration: false, isolatedDeclarations: false, target: "ES2022" },
      noUnusedParameters: false,
      // What the examples lead to is compiled along: not into the sources.
      rootDir: root,
      outDir: "compiled",
    },
    include: ["*.ts"],
  };
  writeFileSync(join(root, folder, "tsconfig.json"), JSON.stringify(configuration));
});

test("there are examples, and all of them import what a user would", () => {
  expect(examples.length).toBeGreaterThan(15);
  for (const { name, source } of examples) expect(source, name).toMatch(/ from "ringwire[^"]*";/);
});

test("they type-check and run to their end, one after another", async () => {
  const compiler = join(root, "node_modules/.bin/tsc");
  const compiled = await promisify(execFile)(compiler, ["-p", join(root, folder)]).catch(
    (error: { stdout: string }) => error,
  );
  expect(compiled.stdout).toBe("");
  const { code, stdout, stderr } = await new ChildProgram(`${folder}/compiled/${folder}/run.js`, []).ended;
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  const ran = [...stdout.matchAll(/^ran (.+)$/gm)].map(([, name]) => name);
  expect(ran).toEqual(examples.map(({ name }) => name));
});
