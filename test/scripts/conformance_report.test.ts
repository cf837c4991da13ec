/** Putting conformance results together: no case may pass without a result. */
import { expect, test } from "vitest";

interface Result {
  id: string;
  behaviour: string;
  behaviourClose: string;
  remark: string;
}
interface Report {
  counts: Record<string, number>;
  failures: string[];
  skipped: string[];
}
const script = new URL("../../scripts/conformance_report.mjs", import.meta.url).href;
const { gather, asText, selected } = (await import(script)) as {
  gather(ids: string[], combinations: object[]): Report;
  asText(report: Report, title: string): string;
  selected(ids: string[], patterns: string[]): string[];
};

const result = (id: string, behaviour = "OK", behaviourClose = "OK", remark = ""): Result => ({
  id,
  behaviour,
  behaviourClose,
  remark,
});
const combination = (delivery: string, results: Result[]): object => ({
  runtime: "node",
  transport: "uring",
  role: "server",
  delivery,
  results,
});

test("verdicts are counted, and a close that is not in order is a failure", () => {
  const results = [
    result("1.1.1"),
    result("6.4.1", "NON-STRICT"),
    result("7.1.6", "INFORMATIONAL", "INFORMATIONAL"),
    result("7.3.1", "OK", "UNCLEAN", "why"),
    result("7.3.2", "FAILED"),
    result("12.1.1", "UNIMPLEMENTED"),
  ];
  const report = gather(
    results.map(({ id }) => id),
    [combination("copies", results)],
  );
  expect(report.counts).toEqual({ OK: 1, INFORMATIONAL: 1, "NON-STRICT": 1, UNIMPLEMENTED: 1, FAILED: 2 });
  expect(report.failures).toHaveLength(3);
  expect(report.failures[0]).toBe("7.3.1  node uring server copies: OK, close UNCLEAN (why)");
});

test("a case without a result has failed", () => {
  const report = gather(["1.1.1", "1.1.2"], [combination("copies", [result("1.1.1")])]);
  expect(report.counts.FAILED).toBe(1);
  expect(report.failures[0]).toContain("no result");
});

test("the table shows the worst delivery of a runtime, transport and role", () => {
  const good = combination("copies", [result("1.1.1")]);
  const bad = combination("views", [result("1.1.1", "OK", "WRONG CODE", "why")]);
  const text = asText(gather(["1.1.1"], [good, bad]), "a title");
  expect(text).toMatch(/^a title\n/);
  expect(text).toMatch(/^1\.1\.1 +ok\/WRONG CODE$/m);
  expect(text).toContain(
    "1 cases × 2 combinations: 1 OK, 0 INFORMATIONAL, 0 NON-STRICT, 0 UNIMPLEMENTED, 1 FAILED",
  );
});

test("patterns mean whole ids", () => {
  expect(selected(["6.1.1", "6.10.1", "16.1.1"], ["6.*"])).toEqual(["6.1.1", "6.10.1"]);
  expect(selected(["9.1.1", "9.1.10", "9.11.1"], ["9.1.1", "9.1*.1"])).toEqual(["9.1.1", "9.11.1"]);
  expect(selected(["6.1.1"], ["(", "6.1", "*"])).toEqual(["6.1.1"]);
});

test("what was skipped is said in the text", () => {
  const report = gather(["1.1.1"], []);
  report.skipped.push("node over uring: why");
  expect(asText(report, "a title")).toContain("SKIPPED: node over uring: why");
});
