import { describe, expect, it } from "vitest";
import { RingwireError } from "../../src/errors.ts";
import { BODY_CHUNKED } from "../../src/protocol/http_request.ts";
import { RequestBody } from "../../src/protocol/request_body.ts";
import { byteByByte, randomSplit, seeded } from "./frames.ts";
import { latin1Bytes } from "./heads.ts";

const LIMITS = { maxBodyBytes: 1_000, maxBytes: 100 };

/** The body and what stands behind it, `undefined` for an incomplete one, or the status of the refusal. */
function outcome(portions: readonly Uint8Array[], size: number): unknown {
  let behind = "";
  try {
    const body = new RequestBody(size, LIMITS);
    let isComplete = false;
    for (const portion of portions) {
      // At an odd place of a larger buffer that is spoilt afterwards: nothing may refer to it.
      const arena = new Uint8Array(portion.length + 2);
      arena.set(portion, 1);
      const next = isComplete ? 1 : body.feed(arena, 1, 1 + portion.length);
      if (next >= 0) {
        isComplete = true;
        behind += String.fromCharCode(...arena.subarray(next, 1 + portion.length));
      }
      arena.fill(0xff);
    }
    return isComplete ? [String.fromCharCode(...body.bytes), behind] : undefined;
  } catch (error) {
    if (!(error instanceof RingwireError)) throw error;
    return error.status;
  }
}

/** The same outcome whole, byte by byte and in twenty other splits. */
function collected(text: string, size: number = BODY_CHUNKED): unknown {
  const bytes = latin1Bytes(text);
  const whole = outcome([bytes], size);
  expect(outcome(byteByByte(bytes), size)).toEqual(whole);
  const random = seeded(7);
  for (let round = 0; round < 20; round++) {
    expect(outcome(randomSplit(bytes, random, 3), size)).toEqual(whole);
  }
  return whole;
}

describe("a request body", () => {
  it("of an announced size is that many bytes", () => {
    expect(collected("hello", 5)).toEqual(["hello", ""]);
    expect(collected("helloGET / HTTP/1.1", 5)).toEqual(["hello", "GET / HTTP/1.1"]);
    expect(collected("5\r\nhello", 9)).toBe(undefined);
    expect(collected("GET", 0)).toEqual(["", "GET"]);
    expect(collected("", 1_001)).toBe(413);
  });

  it("in chunks is what they hold", () => {
    expect(collected("0\r\n\r\n")).toEqual(["", ""]);
    expect(collected("5\r\nhello\r\n0\r\n\r\n")).toEqual(["hello", ""]);
    expect(collected("5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\nGET ")).toEqual(["hello, world", "GET "]);
    expect(collected(`a\r\n0123456789\r\nA\r\n0123456789\r\n00\r\n\r\n`)).toEqual([
      "01234567890123456789",
      "",
    ]);
    expect(collected(`3E8\r\n${"x".repeat(1_000)}\r\n000\r\n\r\n`)).toEqual(["x".repeat(1_000), ""]);
    expect(collected("6\r\n\r\n0\r\n\r\r\n0\r\n\r\n")).toEqual(["\r\n0\r\n\r", ""]);
  });

  it("in chunks is waited for until its last line end", () => {
    const text = "5\r\nhello\r\n0\r\nA: b\r\n\r\n";
    for (let length = 0; length < text.length; length++) {
      expect(outcome([latin1Bytes(text.slice(0, length))], BODY_CHUNKED)).toBe(undefined);
    }
  });

  it("is given without the extensions of chunks and without trailers", () => {
    expect(collected('5;a=b\r\nhello\r\n0;last="\xe9;\t"\r\n\r\n')).toEqual(["hello", ""]);
    expect(collected("5 \t;a\r\nhello\r\n0\r\n\r\n")).toEqual(["hello", ""]);
    expect(collected("1\r\nx\r\n0\r\nDigest: 1\r\nHost:\r\nContent-Length: 7\r\n\r\nGET")).toEqual([
      "x",
      "GET",
    ]);
  });

  it("may bring so many bytes of extensions and trailers, however they are spread", () => {
    expect(collected(`1;${"a".repeat(99)}\r\nx\r\n0\r\n\r\n`)).toEqual(["x", ""]);
    expect(collected(`1;${"a".repeat(100)}\r\nx\r\n0\r\n\r\n`)).toBe(431);
    expect(collected(`${"1;a\r\nx\r\n".repeat(50)}0\r\n\r\n`)).toEqual(["x".repeat(50), ""]);
    expect(collected(`${"1;a\r\nx\r\n".repeat(50)}0;\r\n\r\n`)).toBe(431);
    expect(collected(`0\r\na:${"b".repeat(98)}\r\n\r\n`)).toEqual(["", ""]);
    expect(collected(`0\r\na:${"b".repeat(99)}\r\n\r\n`)).toBe(431);
    expect(collected(`0\r\n${"a".repeat(101)}`)).toBe(431);
    expect(collected(`1${" ".repeat(101)}`)).toBe(431);
  });

  it("is refused as soon as its chunks announce more than a body may have", () => {
    expect(collected("3e9")).toBe(413);
    expect(collected(`3e8\r\n${"x".repeat(1_000)}\r\n1`)).toBe(413);
    for (const size of [
      "100000000",
      "7fffffffffffffff",
      "ffffffffffffffff",
      "10000000000000005",
      "f".repeat(400),
    ]) {
      expect(collected(`${size}\r\nhello`)).toBe(413);
    }
    expect(collected(`${"0".repeat(15)}5\r\nhello\r\n0\r\n\r\n`)).toEqual(["hello", ""]);
    expect(collected(`${"0".repeat(17)}`)).toBe(400);
  });

  const faults: readonly (readonly [string, string])[] = [
    ["no size", "\r\nhello"],
    ["an extension without a size", ";a\r\nhello"],
    ["a sign", "+5\r\nhello"],
    ["a minus", "-5\r\nhello"],
    ["a prefix", "0x5\r\nhello"],
    ["a letter beyond f", "5g\r\nhello"],
    ["an underscore", "5_0\r\nhello"],
    ["a blank before the size", " 5\r\nhello"],
    ["a blank behind the size and no extension", "5 \r\nhello"],
    ["two sizes", "5 5\r\nhello"],
    ["LF without CR behind a size", "5\nhello"],
    ["CR without LF behind a size", "5\rhello"],
    ["CR twice behind a size", "5\r\r\nhello"],
    ["LF without CR in an extension", "5;a\nhello"],
    ["CR without LF in an extension", "5;a\rb\r\nhello"],
    ["NUL in an extension", "5;\0\r\nhello"],
    ["a chunk longer than its size", "4\r\nhello\r\n"],
    ["a chunk shorter than its size", "6\r\nhello\r\n0\r\n\r\n"],
    ["LF without CR behind a chunk", "5\r\nhello\n0\r\n\r\n"],
    ["CR without LF behind a chunk", "5\r\nhello\r0\r\n\r\n"],
    ["an empty line between chunks", "5\r\nhello\r\n\r\n0\r\n\r\n"],
    ["LF without CR behind the last chunk", "0\n\n"],
    ["LF without CR behind the trailers", "0\r\n\n"],
    ["CR without LF behind the trailers", "0\r\n\rG"],
    ["a trailer without a colon", "0\r\nGET / HTTP/1.1\r\n"],
    ["a trailer without a name", "0\r\n: b\r\n\r\n"],
    ["a folded trailer", "0\r\na: b\r\n c\r\n\r\n"],
    ["a blank before a trailer's colon", "0\r\na : b\r\n\r\n"],
    ["LF without CR in a trailer", "0\r\na: b\nc: d\r\n\r\n"],
    ["NUL in a trailer", "0\r\na: \0\r\n\r\n"],
  ];
  for (const [name, text] of faults) {
    it(`is refused for ${name}`, () => {
      expect(collected(text)).toBe(400);
    });
  }
});
