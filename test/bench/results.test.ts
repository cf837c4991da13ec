/**
 * Results of the bench harness as files.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

const script = new URL("../../bench/results.mjs", import.meta.url).href;
const { keepResult, readResult } = (await import(script)) as {
  keepResult(result: object, folder: string): void;
  readResult(folder: string, workload: string): object | undefined;
};

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "ringwire-results-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

function measured(date: string, ratio: number): object {
  const one = {
    ours: "bun uring",
    theirs: "Bun.serve",
    figure: "f",
    condition: "near",
    ratio,
    min: 1,
    max: 3,
  };
  return {
    workload: "echo",
    machine: { date, commit: "abc" },
    comparisons: [{ ...one, pairs: 6, leftOut: 0 }],
    rounds: [[{ name: "bun uring", report: { f: 1 } }], [{ name: "Bun.serve", report: { f: 2 } }]],
  };
}

test("a result comes back as it was kept", () => {
  const folder = newFolder();
  keepResult(measured("1", 2), folder);
  expect(readResult(folder, "echo")).toEqual(measured("1", 2));
  expect(readResult(folder, "other")).toBeUndefined();
});

test("a result replaces the one before it", () => {
  const folder = newFolder();
  keepResult(measured("1", 2), folder);
  keepResult(measured("2", 2.1), folder);
  expect(readResult(folder, "echo")).toEqual(measured("2", 2.1));
});

test("that a workload was skipped is kept, but does not replace figures", () => {
  const folder = newFolder();
  const skipped = { workload: "echo", machine: { date: "2", commit: "abc" }, skipped: "no certificates" };
  keepResult(skipped, folder);
  expect(readResult(folder, "echo")).toEqual(skipped);
  keepResult(measured("3", 2), folder);
  expect(readResult(folder, "echo")).toEqual(measured("3", 2));
  keepResult(skipped, folder);
  expect(readResult(folder, "echo")).toEqual(measured("3", 2));
});
