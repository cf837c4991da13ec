/**
 * Counting vitest's reports: nothing that went wrong may look like success.
 */
import { expect, test } from "vitest";

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
  remark: string;
  failures: { file: string; name: string }[];
}
const script = new URL("../../scripts/vitest_report.mjs", import.meta.url).href;
const { countVitest } = (await import(script)) as {
  countVitest(text: string | undefined, exitCode: number): Counts;
};

function report(passed: number, failed: number, files: object[] = []): string {
  return JSON.stringify({
    numPassedTests: passed,
    numFailedTests: failed,
    numPendingTests: 1,
    numTodoTests: 0,
    testResults: files,
  });
}

test("tests are counted as the report has them", () => {
  const results = [
    { status: "failed", fullName: "it does" },
    { status: "passed", fullName: "it is" },
  ];
  const file = { name: "a.test.ts", status: "failed", assertionResults: results };
  expect(countVitest(report(3, 1, [file]), 1)).toEqual({
    passed: 3,
    failed: 1,
    skipped: 1,
    failures: [{ file: "a.test.ts", name: "it does" }],
    remark: "",
  });
});

test("a missing report is a failure, and a time-out is called by its name", () => {
  expect(countVitest(undefined, 139)).toMatchObject({ passed: 0, failed: 1 });
  expect(countVitest(undefined, 124).remark).toContain("did not end in time");
});

test("a file that could not be loaded is a failure", () => {
  const file = { name: "a.test.ts", status: "failed", message: "Cannot find module", assertionResults: [] };
  const counts = countVitest(report(3, 0, [file]), 1);
  expect(counts.failed).toBe(1);
  expect(counts.failures).toEqual([]);
  expect(counts.remark).toContain("Cannot find module");
});

test("an exit code without a failed test is a failure", () => {
  expect(countVitest(report(3, 0), 1)).toMatchObject({ passed: 3, failed: 1 });
});
