/**
 * Reads vitest's JSON report into counts. A suite that crashed, hung or could not load a file must never
 * count as "nothing failed".
 */

/**
 * @param text - The report, or undefined when vitest wrote none.
 * @param exitCode - Vitest's exit code; 124 when it was stopped for taking too long.
 * @returns Counts of tests, a remark where the counts alone would mislead, and the failures that tests reported: file and name of each.
 */
export function countVitest(text, exitCode) {
  if (text === undefined) {
    const why = exitCode === 124 ? "did not end in time" : `ended with exit code ${exitCode}`;
    return { passed: 0, failed: 1, skipped: 0, failures: [], remark: `vitest ${why} and left no report` };
  }
  const report = JSON.parse(text);
  const counts = {
    passed: report.numPassedTests,
    failed: report.numFailedTests,
    skipped: report.numPendingTests + report.numTodoTests,
    failures: [],
    remark: "",
  };
  for (const file of report.testResults) {
    const failed = file.assertionResults.filter((test) => test.status === "failed");
    for (const { fullName } of failed) counts.failures.push({ file: file.name, name: fullName });
    if (file.status === "failed" && failed.length === 0) {
      counts.failed++;
      counts.remark += `${file.name} failed outside its tests: ${file.message ?? ""}\n`;
    }
  }
  if (exitCode !== 0 && counts.failed === 0) {
    counts.failed = 1;
    counts.remark = `every test passed, but vitest ended with exit code ${exitCode} (an error outside a test?)`;
  }
  return counts;
}
