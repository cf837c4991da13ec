/** Books that stay correct while both of their lines break. The long form: `node scripts/feed_proof.mjs --minutes 10`. */
import { afterEach, expect, test } from "vitest";
import { killPrograms, startExample } from "../cli/child_program.ts";
import { missing } from "../uring/open_test_transport.ts";

afterEach(killPrograms);

const BRIEF = ["--seconds", "4", "--fault-ms", "80"];
const NATIVE = ["--transport", "native"];
const URING = ["--transport", "uring"];
const WAYS = missing === undefined ? [NATIVE, URING, [...URING, "--received", "kernel"]] : [NATIVE];

function countIn(text: string, pattern: RegExp): number {
  return Number(pattern.exec(text)?.[1].replaceAll(",", ""));
}

test("market_data keeps every book identical to the exchange's", async () => {
  // Side by side: they wait more than they compute.
  const programs = WAYS.map((way) => startExample("market_data", [...BRIEF, ...way]));
  for (const [index, program] of programs.entries()) {
    const { code, stdout, stderr } = await program.ended;
    expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(` over ${WAYS[index][1]}, seed `);
    expect(countIn(stdout, /^The books were identical at all of ([\d,]+) checkpoints\.$/m)).toBeGreaterThan(
      100,
    );
    expect(countIn(stdout, /([\d,]+) snapshots for 8 books$/m)).toBeGreaterThanOrEqual(8);
    // Lines did break, and each was the first with something.
    expect(stdout).toMatch(/^ {2}connections lost: .*(closed|broken) \d+/m);
    for (const line of ["A", "B"])
      expect(stdout).toMatch(new RegExp(`^ {2}line ${line}: first with [1-9]`, "m"));
    expect(stdout).toMatch(/^age( +[\d.]+){5}$/m);
  }
});

test("market_data prints its help, and refuses what it does not know with exit code 2", async () => {
  const help = await startExample("market_data", ["--help"]).ended;
  expect(help).toMatchObject({ code: 0, stderr: "" });
  expect(help.stdout).toMatch(/^Usage: market_data/);
  const outcome = await startExample("market_data", ["--seconds", "0"]).ended;
  expect(outcome).toMatchObject({ code: 2, stdout: "" });
  expect(outcome.stderr).toMatch(/^market_data: Option "--seconds" must be/);
});
