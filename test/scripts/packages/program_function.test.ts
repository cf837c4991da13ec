/** The program of the npm package runs with the library that it is handed. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

const script = new URL("../../../scripts/packages/program_function.mjs", import.meta.url).href;
const { programFunction } = (await import(script)) as {
  programFunction(code: string, name: string, library: string): string;
};

let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ringwire-program-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

async function load(code: string): Promise<{ run(library: object): Promise<void> }> {
  const file = join(folder, "program.mjs");
  writeFileSync(file, programFunction(code, "run", "library:"));
  return (await import(pathToFileURL(file).href)) as never;
}

test("what it imports of the library becomes its parameter, other imports stay, and it may await", async () => {
  const { run } = await load(`
import { sep } from "node:path";
import { told, twice as double } from "library:";
class Sum { value = double(20) + 2; }
told.push(await Promise.resolve(new Sum().value), sep.length);
`);
  for (const factor of [2, 3]) {
    const told: number[] = [];
    await run({ told, twice: (value: number) => value * factor });
    expect(told).toEqual([20 * factor + 2, 1]);
  }
});

test("what is no such program is refused", () => {
  const refused = (code: string) => () => programFunction(code, "run", "library:");
  expect(refused("work();")).toThrow(/does not import library: by one statement/);
  expect(refused('import * as all from "library:";')).toThrow(/does not import library: by one statement/);
  expect(refused('import { a } from "library:";\nexport const b = a;')).toThrow(/exports nothing/);
});
