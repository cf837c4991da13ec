/**
 * Reading what fuzzers print: a crash, a hang, a run of nothing and an end that nobody understands are never clean.
 */
import { expect, test } from "vitest";

interface Outcome {
  findings: number;
  summary: string;
  detail: string;
  isSkipped?: boolean;
}
type Read = (result: { status: number; output: string }) => Outcome;
const script = new URL("../../scripts/fuzz_report.mjs", import.meta.url).href;
const { readGuided, readProgram, readReplay } = (await import(script)) as Record<
  "readGuided" | "readProgram" | "readReplay",
  Read
>;

const GUIDED = `#1024 pulse cov: 90 ft: 120 corp: 7/30b lim: 4 exec/s: 512 rss: 40Mb
#2048 DONE   cov: 101 ft: 150 corp: 9/40b lim: 4 exec/s: 512 rss: 40Mb
stat::number_of_executed_units: 2048`;

test("libFuzzer's last line of coverage and its count of runs are told", () => {
  const { findings, summary } = readGuided({ status: 0, output: GUIDED });
  expect(findings).toBe(0);
  expect(summary).toBe("2048 runs, 101 edges, 150 features, 9 inputs");
});

test("a crash of libFuzzer's is a finding, with the end of what it printed", () => {
  const output = `${GUIDED}\n${"x".repeat(9000)}\nSUMMARY: AddressSanitizer: heap-buffer-overflow`;
  const { findings, detail } = readGuided({ status: 77, output });
  expect(findings).toBe(1);
  expect(detail).toMatch(/heap-buffer-overflow$/);
});

test("an exit code of 0 without sums is a finding", () => {
  expect(readGuided({ status: 0, output: "" }).findings).toBe(1);
  expect(readReplay({ status: 0, output: "" }).findings).toBe(1);
  expect(readProgram({ status: 0, output: "" }).findings).toBe(1);
});

test("a replay of no inputs is a finding", () => {
  const line = (inputs: number): string => `${inputs} inputs and 40 mixtures of them in 2000 ms, seed 5\n`;
  expect(readReplay({ status: 0, output: line(12) })).toMatchObject({
    findings: 0,
    summary: line(12).trim(),
  });
  expect(readReplay({ status: 0, output: line(0) }).findings).toBe(1);
  expect(readReplay({ status: 1, output: line(12) }).findings).toBe(1);
});

test("a program's last line of JSON counts, whatever stands around it", () => {
  const sums = { target: "decoder", runs: 500, seconds: 1.2, findings: 0 };
  const output = `{not JSON}\n${JSON.stringify(sums)}\na warning behind it\n`;
  expect(readProgram({ status: 0, output })).toMatchObject({ findings: 0, summary: "500 runs in 1.2 s" });
  expect(readProgram({ status: 1, output }).findings).toBe(1);
  expect(readProgram({ status: 0, output: JSON.stringify({ ...sums, findings: 2 }) }).findings).toBe(1);
  expect(readProgram({ status: 0, output: JSON.stringify({ ...sums, runs: 0 }) }).findings).toBe(1);
});

test("a target that this machine cannot run is said to be skipped", () => {
  const output = `SKIPPED: needs ws\n${JSON.stringify({ skipped: true, runs: 0, seconds: 0, findings: 0 })}`;
  expect(readProgram({ status: 0, output })).toMatchObject({ isSkipped: true, findings: 0 });
});

test("a run that was stopped for its time is a finding that says so", () => {
  const { findings, detail } = readGuided({ status: 124, output: GUIDED });
  expect(findings).toBe(1);
  expect(detail).toMatch(/ran too long$/);
});
