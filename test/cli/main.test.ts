/** The program's frame: help, version, and what is refused. */
import { afterEach, expect, test } from "vitest";
import { killPrograms, runCli } from "./child_program.ts";

afterEach(killPrograms);

test("no arguments, help and --help print the commands and succeed", async () => {
  const [bare, help, dashed] = await Promise.all([runCli([]), runCli(["help"]), runCli(["--help"])]);
  for (const name of ["echo", "connect", "doctor"]) expect(bare.stdout).toContain(`\n  ${name}`);
  expect(bare).toMatchObject({ code: 0, stderr: "" });
  expect(help).toEqual(bare);
  expect(dashed).toEqual(bare);
});

test("each command has a help of its own", async () => {
  for (const name of ["echo", "connect", "doctor"]) {
    const [dashed, worded] = await Promise.all([runCli([name, "--help"]), runCli(["help", name])]);
    expect(dashed.stdout).toMatch(new RegExp(`^Usage: ringwire ${name}`));
    expect(dashed).toMatchObject({ code: 0, stderr: "" });
    expect(worded).toEqual(dashed);
  }
});

test("an unknown command is refused with exit code 2", async () => {
  const outcome = await runCli(["bogus"]);
  expect(outcome).toMatchObject({ code: 2, stdout: "" });
  expect(outcome.stderr).toBe('ringwire: Unknown command "bogus"; "ringwire help" lists what there is\n');
});

test("an unknown option is refused with exit code 2 and what may have been meant", async () => {
  const outcome = await runCli(["echo", "--prot", "1"]);
  expect(outcome.code).toBe(2);
  expect(outcome.stderr).toContain('Unknown option "--prot"');
  expect((await runCli(["--bogus"])).code).toBe(2);
  expect((await runCli(["doctor", "--bogus"])).code).toBe(2);
});

test("a value out of range, a missing value and a word too many are refused with exit code 2", async () => {
  const lines = [
    ["echo", "--port", "70000"],
    ["echo", "--port"],
    ["echo", "--transport", "smoke"],
    ["echo", "word"],
    ["echo", "--unix", "/tmp/x", "--port", "1"],
    ["connect"],
    ["connect", "ws://127.0.0.1:1", "word"],
    ["connect", "ws://127.0.0.1:1", "--header", "nonsense"],
    ["connect", "not a url"],
    ["doctor", "word"],
  ];
  for (const words of lines) {
    const { code, stderr, stdout } = await runCli(words);
    expect({ words, code, stdout }).toEqual({ words, code: 2, stdout: "" });
    expect(stderr).toMatch(/^ringwire: [^\n]+\n$/);
  }
});
