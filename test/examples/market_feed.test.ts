/** The program behind `npm start`. */
import { afterEach, describe, expect, test } from "vitest";
import { killPrograms, startExample } from "../cli/child_program.ts";
import { missing } from "../uring/open_test_transport.ts";

afterEach(killPrograms);

const SMALL = ["--seconds", "1", "--connections", "20", "--rate", "5000"];

describe.skipIf(missing !== undefined)("market_feed where io_uring works", () => {
  test("runs over both transports in turns, loses nothing, and prints the ratio", async () => {
    const { code, stdout, stderr } = await startExample("market_feed", SMALL).ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^Transport in use: io_uring: kernel \d/m);
    for (const label of ["io_uring", "native"]) {
      for (const phase of ["full speed", "steady"]) {
        const line = new RegExp(
          `^ {2}${label} +${phase} +[\\d,]+ msg/s +p50 .+ p99 .+ p99\\.9 +[\\d.]+ [µm]s$`,
          "m",
        );
        expect(stdout).toMatch(line);
      }
    }
    expect(stdout).toMatch(/^ {2}ratio +\d+\.\d\d × the messages of native sockets/m);
    expect(stdout).toMatch(/Nothing was lost: [\d,]+ ticks came in sequence\.\n$/);
    // A log gets no control codes.
    expect(stdout).not.toContain("\u001b");
  });
});

test("market_feed runs over native sockets alone", async () => {
  const { code, stdout } = await startExample("market_feed", [...SMALL, "--transport", "native"]).ended;
  expect(code).toBe(0);
  expect(stdout).toMatch(/^Transport in use: native: native sockets of \w+ asked for$/m);
  expect(stdout).toContain("Nothing was lost");
  expect(stdout).not.toContain("ratio");
});

test("market_feed without io_uring says why and has nothing to compare", async () => {
  const environment = { RINGWIRE_LIBRARY: "/nowhere/libringwire.so" };
  const { code, stdout } = await startExample("market_feed", SMALL, environment).ended;
  expect(code).toBe(0);
  expect(stdout).toMatch(/^Transport in use: native: Cannot load the shim "\/nowhere\//m);
  expect(stdout).toContain("There is nothing to compare it with.");
});

test("market_feed prints its help, and refuses what it does not know with exit code 2", async () => {
  const help = await startExample("market_feed", ["--help"]).ended;
  expect(help).toMatchObject({ code: 0, stderr: "" });
  expect(help.stdout).toMatch(/^Usage: market_feed/);
  for (const words of [["--bogus"], ["--seconds", "0"], ["--connections", "x"], ["--transport", "smoke"]]) {
    const outcome = await startExample("market_feed", words).ended;
    expect({ words, code: outcome.code, stdout: outcome.stdout }).toEqual({ words, code: 2, stdout: "" });
    expect(outcome.stderr).toMatch(/^market_feed: /);
  }
});
