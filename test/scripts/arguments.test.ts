/**
 * The parser of the scripts' command lines.
 */
import { expect, test } from "vitest";

interface Values {
  rest: string[];
  [name: string]: unknown;
}
const script = new URL("../../scripts/arguments.mjs", import.meta.url).href;
const { parseArguments } = (await import(script)) as {
  parseArguments(args: string[], known: Record<string, string | string[]>): Values;
};

const KNOWN = { seconds: "number", runtime: ["bun", "node"], smoke: "flag", title: "text" };

test("options and plain words are told apart, with values attached or not", () => {
  expect(parseArguments(["echo-pipe", "--seconds=2", "--runtime", "bun", "--smoke"], KNOWN)).toEqual({
    rest: ["echo-pipe"],
    seconds: 2,
    runtime: "bun",
    smoke: true,
  });
});

test("a separating -- is skipped, because Bun and Deno hand it on", () => {
  expect(parseArguments(["--", "--title", "a b"], KNOWN)).toEqual({ rest: [], title: "a b" });
});

test("an unknown option is refused by name", () => {
  expect(() => parseArguments(["--secnods", "2"], KNOWN)).toThrow('Unknown option "--secnods"');
});

test("a name from Object.prototype is no known option", () => {
  expect(() => parseArguments(["--constructor", "1"], KNOWN)).toThrow("Unknown option");
});

test("a missing value, a bad number and a word outside the list are refused", () => {
  expect(() => parseArguments(["--seconds"], KNOWN)).toThrow("needs a value");
  expect(() => parseArguments(["--seconds", "soon"], KNOWN)).toThrow('not "soon"');
  expect(() => parseArguments(["--seconds", "0"], KNOWN)).toThrow("above 0");
  expect(() => parseArguments(["--runtime", "deno"], KNOWN)).toThrow("bun, node");
  expect(() => parseArguments(["--smoke=yes"], KNOWN)).toThrow("takes no value");
});
