import process from "node:process";
import { describe, expect, test } from "vitest";
import { openConsole } from "../../src/runtime/console.ts";

describe.skipIf(process.platform !== "linux")("limits of the process", () => {
  test("are read by name, and one that does not exist is undefined", () => {
    const system = openConsole();
    const files = system.limit("Max open files");
    expect(files?.soft).toBeGreaterThan(0);
    expect(files?.hard).toBeGreaterThanOrEqual(files?.soft as number);
    expect(system.limit("Max nonsense")).toBeUndefined();
  });
});

test("a file that cannot be read is told by name and reason", () => {
  const { readFile } = openConsole();
  expect(readFile(new URL(import.meta.url).pathname)).toContain("told by name and reason");
  expect(() => readFile("/nowhere/at all")).toThrow(
    new RangeError('Cannot read the file "/nowhere/at all": ENOENT'),
  );
});

test("the system tells its kernel and processor", () => {
  const { kernel, architecture } = openConsole();
  expect(kernel()).toMatch(/\d/);
  expect(architecture).toBe(process.arch);
});
