import { describe, expect, it } from "vitest";
import { RingwireError } from "../../src/errors.ts";
import { HeadParser } from "../../src/protocol/http_head.ts";
import { byteByByte, randomSplit, seeded } from "./frames.ts";
import { LIMITS, latin1Bytes, outcome, parseHead } from "./heads.ts";

const REQUEST =
  "GET /chat?room=1 HTTP/1.1\r\nHost: feed.example:8080\r\nX-Empty:\r\nx-blank: \t a  b \t \r\n" +
  "__proto__: polluted\r\nconstructor: x\r\nX-Latin: caf\xe9\x80\xff\r\nCookie: a=1\r\ncookie: b=2\r\n\r\n";
const RESPONSE = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";

const BAD = { code: "ERR_BAD_REQUEST", status: 400 };
const TOO_LARGE = { code: "ERR_HEADERS_TOO_LARGE", status: 431 };

/** The same outcome whole, byte by byte and in random splits. */
function everyWay(kind: "request" | "response", text: string): object {
  const bytes = latin1Bytes(text);
  const whole = outcome(kind, [bytes]);
  const random = seeded(bytes.length);
  expect(outcome(kind, byteByByte(bytes))).toEqual(whole);
  for (const mean of [2, 5, 20]) expect(outcome(kind, randomSplit(bytes, random, mean))).toEqual(whole);
  return whole;
}

function expectBad(text: string): void {
  expect(everyWay("request", text), JSON.stringify(text)).toEqual(BAD);
}

describe("head parser", () => {
  it("reads a request in any portions, and says where it ends", () => {
    expect(everyWay("request", `${REQUEST}\x81\x05pipelined\r\n\r\n`)).toEqual({
      headBytes: REQUEST.length,
      method: "GET",
      target: "/chat?room=1",
      versionMinor: 1,
      status: 0,
      reason: "",
      headers: [
        ["Host", "feed.example:8080"],
        ["X-Empty", ""],
        ["x-blank", "a  b"],
        ["__proto__", "polluted"],
        ["constructor", "x"],
        ["X-Latin", "caf\xe9\x80\xff"],
        ["Cookie", "a=1"],
        ["cookie", "b=2"],
      ],
    });
  });

  it("reads a response, with and without a reason", () => {
    expect(everyWay("response", RESPONSE)).toMatchObject({ status: 101, reason: "Switching Protocols" });
    expect(everyWay("response", "HTTP/1.0 404 \r\n\r\n")).toMatchObject({
      status: 404,
      reason: "",
      versionMinor: 0,
    });
    expect(everyWay("response", "HTTP/1.1 200\r\n\r\n")).toMatchObject({ status: 200, reason: "" });
    expect(everyWay("response", "HTTP/1.1 503 Zu voll \xfc\r\n\r\n")).toMatchObject({
      reason: "Zu voll \xfc",
    });
  });

  it("asks for more until the empty line, cut at every place", () => {
    const bytes = latin1Bytes(REQUEST);
    for (let cut = 0; cut < bytes.length; cut++) {
      const parser = new HeadParser("request", LIMITS);
      expect(parser.feed(bytes, 0, cut)).toBe(-1);
      expect(parser.hasBegun).toBe(cut > 0);
      expect(parser.feed(bytes, cut, bytes.length)).toBe(bytes.length);
      expect(parser.headers.count).toBe(8);
    }
  });

  it("tolerates one empty line before a request, not two, and none before a response", () => {
    expect(everyWay("request", `\r\n${REQUEST}`)).toMatchObject({ headBytes: REQUEST.length + 2 });
    expectBad(`\r\n\r\n${REQUEST}`);
    expect(everyWay("response", `\r\n${RESPONSE}`)).toMatchObject({ code: "ERR_HANDSHAKE_FAILED" });
  });

  it("refuses line ends without CR, CR without line end, and NUL, everywhere", () => {
    for (const bad of ["\n", "\r", "\0", "\r\r\n", "\x0b", "\x7f", "\x1b"]) {
      expectBad(`GE${bad}T / HTTP/1.1\r\nHost: a\r\n\r\n`);
      expectBad(`GET /${bad}x HTTP/1.1\r\nHost: a\r\n\r\n`);
      expectBad(`GET / HTTP/1.1${bad}\r\nHost: a\r\n\r\n`);
      expectBad(`GET / HTTP/1.1\r\nHo${bad}st: a\r\n\r\n`);
      expectBad(`GET / HTTP/1.1\r\nHost: a${bad}b\r\n\r\n`);
    }
    expectBad("GET / HTTP/1.1\nHost: a\n\n");
  });

  it("refuses a folded header, a space before the colon, and names that are no tokens", () => {
    expectBad("GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n");
    expectBad("GET / HTTP/1.1\r\n\tHost: a\r\n\r\n");
    for (const name of ["Host ", "Ho st", "", "Hös\xf6t", "Host\t", "(a)", "a/b", '"a"']) {
      expectBad(`GET / HTTP/1.1\r\n${name}: a\r\n\r\n`);
    }
    expectBad("GET / HTTP/1.1\r\nHost\r\n\r\n");
  });

  it("refuses request lines that are not three parts", () => {
    for (const line of [
      "GET",
      "GET /",
      "GET / ",
      "GET  / HTTP/1.1",
      "GET /  HTTP/1.1",
      "GET / HTTP/1.1 ",
      "GET /a b HTTP/1.1",
      " GET / HTTP/1.1",
      "GET / http/1.1",
      "GET / HTTP/11",
      "GET / HTTP/1.x",
      "GET / HTTP/1.11",
      "GET /\x80 HTTP/1.1",
      "G(T / HTTP/1.1",
    ]) {
      expectBad(`${line}\r\nHost: a\r\n\r\n`);
    }
  });

  it("answers 505 to another major version", () => {
    for (const version of ["0.9", "2.0", "3.0"]) {
      expect(everyWay("request", `GET / HTTP/${version}\r\n\r\n`)).toEqual({
        code: "ERR_BAD_REQUEST",
        status: 505,
      });
    }
  });

  it("refuses responses whose status line is broken", () => {
    for (const line of [
      "HTTP/1.1",
      "HTTP/1.1 ",
      "HTTP/1.1 10",
      "HTTP/1.1 1o1 x",
      "HTTP/1.1 1011",
      "HTTP/1.1 099 x",
      "HTTP/2.0 101",
      "SSH-2.0-x",
      "HTTP/1.1  101",
    ]) {
      expect(everyWay("response", `${line}\r\n\r\n`), line).toEqual({
        code: "ERR_HANDSHAKE_FAILED",
        status: undefined,
      });
    }
  });

  it("refuses TLS and other noise at the first byte, without waiting for a line", () => {
    for (const byte of [0x16, 0x00, 0x80, 0x20]) {
      expect(outcome("request", [Uint8Array.of(byte)])).toEqual(BAD);
    }
  });

  it("refuses more bytes than the limit, as soon as they have come (431)", () => {
    const limits = { maxBytes: 100, maxHeaders: 64 };
    const head = "GET / HTTP/1.1\r\nHost: a\r\n";
    const filler = (bytes: number): string => `X: ${"y".repeat(bytes - head.length - 7)}\r\n\r\n`;
    expect(outcome("request", [latin1Bytes(head + filler(100))], limits)).toMatchObject({ headBytes: 100 });
    expect(outcome("request", [latin1Bytes(head + filler(101))], limits)).toEqual(TOO_LARGE);
    expect(outcome("request", byteByByte(latin1Bytes(head + filler(101))), limits)).toEqual(TOO_LARGE);
    expect(outcome("request", [latin1Bytes("G".repeat(101))], limits)).toEqual(TOO_LARGE);
    expect(outcome("request", [latin1Bytes("G".repeat(100))], limits)).toEqual({ incomplete: true });
  });

  it("does not count what follows the head against its limit", () => {
    const bytes = latin1Bytes(`GET / HTTP/1.1\r\n\r\n${"x".repeat(10_000)}`);
    expect(outcome("request", [bytes], { maxBytes: 100, maxHeaders: 1 })).toMatchObject({ headBytes: 18 });
  });

  it("refuses more headers than the limit (CVE-2024-37890)", () => {
    const fields = (count: number): string =>
      Array.from({ length: count }, (_, index) => `X-${index}: 1\r\n`).join("");
    const limits = { maxBytes: 1 << 20, maxHeaders: 64 };
    const head = "GET / HTTP/1.1\r\n";
    expect(outcome("request", [latin1Bytes(`${head}${fields(64)}\r\n`)], limits)).toMatchObject({
      method: "GET",
    });
    expect(outcome("request", [latin1Bytes(`${head}${fields(65)}\r\n`)], limits)).toEqual(TOO_LARGE);
    expect(outcome("request", [latin1Bytes(head + fields(10_000))], limits)).toEqual(TOO_LARGE);
  });

  it("throws the same error again when it is fed after a failure", () => {
    const parser = new HeadParser("request", LIMITS);
    const bytes = latin1Bytes("\0");
    expect(() => parser.feed(bytes, 0, 1)).toThrow(RingwireError);
    const { failure } = parser;
    try {
      parser.feed(latin1Bytes(REQUEST), 0, REQUEST.length);
      expect.unreachable();
    } catch (error) {
      expect(error).toBe(failure);
    }
  });

  it("takes time in proportion to the head when fed byte by byte (CVE-2023-43669, CVE-2021-32640)", () => {
    // 1 MiB of blanks in one value, byte by byte: anything quadratic would take minutes.
    const parser = new HeadParser("request", { maxBytes: 2 << 20, maxHeaders: 64 });
    const bytes = latin1Bytes(`GET / HTTP/1.1\r\nSec-WebSocket-Protocol: b${" ".repeat(1 << 20)}x\r\n\r\n`);
    const began = performance.now();
    let next = -1;
    for (let at = 0; at < bytes.length; at++) next = parser.feed(bytes, at, at + 1);
    expect(next).toBe(bytes.length);
    expect(parser.headers.get("sec-websocket-protocol")).toHaveLength((1 << 20) + 2);
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  it("survives random bytes without any other exception", () => {
    const random = seeded(77);
    const bytes = latin1Bytes(REQUEST);
    for (let round = 0; round < 3000; round++) {
      const copy = Uint8Array.from(bytes);
      for (let change = 0; change < 3; change++)
        copy[Math.floor(random() * copy.length)] = Math.floor(random() * 256);
      expect(outcome("request", randomSplit(copy, random, 30))).toEqual(outcome("request", [copy]));
    }
  });

  it("keeps bytes from 0x80 up as latin1, whatever they are (no panic on non-ASCII)", () => {
    let value = "";
    for (let byte = 0x80; byte <= 0xff; byte++) value += String.fromCharCode(byte);
    expect(parseHead("request", `GET / HTTP/1.1\r\nX: ${value}\r\n\r\n`).headers.get("x")).toBe(value);
  });
});
