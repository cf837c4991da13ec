import { describe, expect, it } from "vitest";
import { MAX_EXTENSIONS, parseExtensions } from "../../src/protocol/extension_list.ts";

/** An extension in short: its name, then [name, value] of each parameter. */
function short(text: string): unknown {
  return parseExtensions(text)?.map(({ name, parameters }) => [
    name,
    ...parameters.map((parameter) => [parameter.name, parameter.value]),
  ]);
}

describe("extension list", () => {
  it("reads the examples of RFC 6455 §9.1 and RFC 7692 §7.1", () => {
    expect(short("foo")).toEqual([["foo"]]);
    expect(short("bar; baz=2")).toEqual([["bar", ["baz", "2"]]]);
    expect(short("foo, bar; baz=2")).toEqual([["foo"], ["bar", ["baz", "2"]]]);
    expect(short("permessage-deflate; client_max_window_bits; server_max_window_bits=10")).toEqual([
      ["permessage-deflate", ["client_max_window_bits", undefined], ["server_max_window_bits", "10"]],
    ]);
  });

  it("skips blanks around everything, and empty elements", () => {
    expect(short("")).toEqual([]);
    expect(short(" \t")).toEqual([]);
    expect(short(",, ,")).toEqual([]);
    expect(short("\ta ;\tb = 1 ; c , , d ")).toEqual([["a", ["b", "1"], ["c", undefined]], ["d"]]);
  });

  it("reads a quoted value, whose content must be a token", () => {
    expect(short('a; b="10"')).toEqual([["a", ["b", "10"]]]);
    expect(short('a; b="1\\0" ; c, d')).toEqual([["a", ["b", "10"], ["c", undefined]], ["d"]]);
    for (const bad of ['a; b=""', 'a; b="', 'a; b="x', 'a; b=" x"', 'a; b="x y"', 'a; b="x,y"', 'a; b="\\']) {
      expect([bad, short(bad)]).toEqual([bad, undefined]);
    }
    for (const bad of ['a; b="x\\"', 'a; b="\\""', 'a; b="x"y', 'a; "b"=x', '"a"']) {
      expect([bad, short(bad)]).toEqual([bad, undefined]);
    }
  });

  it("refuses what breaks the grammar", () => {
    for (const bad of [
      ";",
      "a;",
      "a;;b",
      "a; b=",
      "a; =b",
      "a b",
      "a=b",
      "a; b=c=d",
      "a; b c",
      "a;,b",
      "é",
    ]) {
      expect([bad, short(bad)]).toEqual([bad, undefined]);
    }
    for (const bad of ["a\n", "a\0", "a; b\r\nc", "a; b=[]", "a\u{1f600}", "a; b=\u00a0"]) {
      expect([bad, short(bad)]).toEqual([bad, undefined]);
    }
  });

  it("keeps names of prototype members and repeated parameters as they are (GHSA-5v72-xg48-5rpm)", () => {
    expect(short("constructor; __proto__=toString; hasOwnProperty, __proto__; a; a=1")).toEqual([
      ["constructor", ["__proto__", "toString"], ["hasOwnProperty", undefined]],
      ["__proto__", ["a", undefined], ["a", "1"]],
    ]);
    expect(({} as Record<string, unknown>).toString).toBe(Object.prototype.toString);
  });

  it("stops at so many extensions", () => {
    const list = (count: number): string => new Array(count).fill("a").join(",");
    expect(parseExtensions(list(MAX_EXTENSIONS))?.length).toBe(MAX_EXTENSIONS);
    expect(parseExtensions(list(MAX_EXTENSIONS + 1))).toBe(undefined);
  });

  it("takes linear time for lists made to be slow (CVE-2020-7662)", () => {
    const size = 1 << 20;
    for (const text of [
      `a; b="${"\\a".repeat(size / 2)}`,
      `a${" ".repeat(size)}`,
      `a${";a".repeat(size / 2)}`,
      ",".repeat(size),
      `a; b="${'\\"'.repeat(size / 2)}"`,
    ]) {
      const before = performance.now();
      parseExtensions(text);
      expect(performance.now() - before).toBeLessThan(1_000);
    }
  });
});
