import { expect, test } from "vitest";
import { parseArguments, UsageError } from "../../src/cli/arguments.ts";

const TABLE = {
  port: { kind: "number", min: 0, max: 65_535 },
  host: { kind: "text" },
  header: { kind: "texts" },
  drive: { kind: "choice", choices: ["auto", "spin"] },
  json: { kind: "flag" },
} as const;

test("values come behind a blank or an equals sign, words stay words", () => {
  expect(parseArguments(["a", "--port", "1", "--host=h", "b", "--json"], TABLE)).toEqual({
    options: { port: 1, host: "h", json: true },
    words: ["a", "b"],
  });
});

test("a repeatable option gathers its values", () => {
  const { options } = parseArguments(["--header", "a: 1", "--header=b: 2=3"], TABLE);
  expect(options.header).toEqual(["a: 1", "b: 2=3"]);
});

test("behind two dashes everything is a word", () => {
  expect(parseArguments(["--", "--port", "-x"], TABLE)).toEqual({ options: {}, words: ["--port", "-x"] });
});

test("what is not known or not allowed is refused by name", () => {
  const refused: [string[], RegExp][] = [
    [["--ports", "1"], /Unknown option "--ports"; did you mean "--port"\?/],
    [["--bogus"], /Unknown option "--bogus"; known are --port, --host/],
    [["-port", "1"], /Unknown option "-port"/],
    [["--constructor", "1"], /Unknown option "--constructor"/],
    [["--port"], /"--port" needs a value/],
    [["--port", "65536"], /"--port" must be a whole number from 0 to 65535, not "65536"/],
    [["--port", "-1"], /not "-1"/],
    [["--port", "1e3"], /not "1e3"/],
    [["--port="], /not ""/],
    [["--drive", "fast"], /must be one of auto, spin, not "fast"/],
    [["--json=1"], /"--json" takes no value/],
  ];
  for (const [words, message] of refused) {
    expect(() => parseArguments(words, TABLE)).toThrow(message);
    expect(() => parseArguments(words, TABLE)).toThrow(UsageError);
  }
});
