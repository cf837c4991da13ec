import { describe, expect, it } from "vitest";
import { checkHeader, fieldsOf, HeaderList, splitList } from "../../src/protocol/header_list.ts";

function list(...fields: [string, string][]): HeaderList {
  const headers = new HeaderList();
  for (const [name, value] of fields) headers.add(name, value);
  return headers;
}

describe("header list", () => {
  it("compares names without case and keeps order and spelling", () => {
    const headers = list(["X-One", "1"], ["x-two", "2"], ["X-ONE", "3"]);
    expect(headers.get("x-one")).toBe("1, 3");
    expect(headers.getAll("X-One")).toEqual(["1", "3"]);
    expect(headers.countOf("x-One")).toBe(2);
    expect(headers.has("X-TWO")).toBe(true);
    expect(headers.count).toBe(3);
    expect([...headers]).toEqual([
      ["X-One", "1"],
      ["x-two", "2"],
      ["X-ONE", "3"],
    ]);
    expect([...headers.entries()]).toEqual([...headers]);
  });

  it("knows no names but those added, those of Object.prototype included (GHSA-5v72-xg48-5rpm)", () => {
    const headers = list(["Host", "a"]);
    for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty", ""]) {
      expect(headers.get(name)).toBe(undefined);
      expect(headers.has(name)).toBe(false);
      expect(headers.tokens(name)).toEqual([]);
    }
    const polluted = list(["__proto__", "x"], ["constructor", "y"]);
    expect(polluted.get("__PROTO__")).toBe("x");
    expect(polluted.get("constructor")).toBe("y");
    expect(({} as Record<string, unknown>).x).toBe(undefined);
  });

  it("splits tokens over several fields, lower-cased, without empty elements", () => {
    const headers = list(["Connection", " keep-alive ,\tUpgrade"], ["connection", ",, X"]);
    expect(headers.tokens("connection")).toEqual(["keep-alive", "upgrade", "x"]);
  });

  it("finds an element of a list whatever its case, and no part of one", () => {
    const headers = list(
      ["Connection", " keep-alive ,\tUpgrade"],
      ["connection", ",, X"],
      ["Upgrade", "WebSocket"],
    );
    for (const token of ["upgrade", "Keep-Alive", "x"])
      expect(headers.hasToken("connection", token)).toBe(true);
    expect(headers.hasToken("UPGRADE", "websocket")).toBe(true);
    for (const token of ["close", "grade", "keep-alive ,\tUpgrade", "keep"])
      expect(headers.hasToken("connection", token)).toBe(false);
    expect(headers.hasToken("upgrade", "websocke\u0054")).toBe(true);
    // Letters only: `^` and `~`, `@` and a backtick are as far apart as A and a.
    expect(list(["^", "@"]).get("~")).toBe(undefined);
    expect(list(["x", "@"]).hasToken("x", "`")).toBe(false);
    expect(headers.hasToken("absent", "x")).toBe(false);
  });

  it("splits a long list of blanks in linear time (CVE-2020-7662, CVE-2023-26103)", () => {
    const began = performance.now();
    const elements = splitList(`a${" \t".repeat(500_000)}b,${" ".repeat(500_000)}c`);
    expect(elements).toHaveLength(2);
    expect(elements[1]).toBe("c");
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});

describe("a header to send", () => {
  it("is refused with a line end, a control character, or anything beyond latin1 (CVE-2026-1527)", () => {
    for (const value of ["a\r\nX: b", "a\nb", "a\rb", "a\0b", "\x1b", "\x7f", "漢", "\u0100"]) {
      expect(() => checkHeader("X", value)).toThrow(TypeError);
    }
    for (const name of ["", "a b", "a:", "a\r\n", "ä", "a\0"])
      expect(() => checkHeader(name, "x")).toThrow(TypeError);
  });

  it("is fine with blanks, tabs and latin1", () => {
    for (const value of ["", "a b\tc", "caf\xe9", "a: b, c=d"]) checkHeader("X-Fine_1", value);
  });
});

describe("the fields that a program gives", () => {
  it("are an object, Headers, or anything that gives pairs", () => {
    const pairs = [["x", "1"]];
    for (const given of [{ x: "1" }, new Headers({ x: "1" }), new Map([["x", "1"]]), pairs, pairs.values()]) {
      expect(fieldsOf(given as Record<string, string>)).toEqual(pairs);
    }
    expect(fieldsOf(undefined)).toEqual([]);
  });

  it("are refused where they are neither: no string is taken letter by letter", () => {
    const refused =
      (given: unknown): (() => unknown) =>
      () =>
        fieldsOf(given as Record<string, string>);
    expect(refused(null)).toThrow("headers that are null");
    expect(refused("x")).toThrow("headers that are string");
    expect(refused(["authorization", "Bearer x"])).toThrow("a header that is string: give pairs");
    expect(refused(["ab"])).toThrow("a header that is string");
    expect(refused([null])).toThrow("a header that is null");
    expect(refused([["a", "b", "c"]])).toThrow("a header that is an array of 3");
    for (const given of [null, ["ab"], [null], [5]]) expect(refused(given)).toThrow(TypeError);
  });
});
