import { describe, expect, it } from "vitest";
import { BODY_CHUNKED, bodyBytes, checkRequest } from "../../src/protocol/http_request.ts";
import { parseHead } from "./heads.ts";

function check(fields: string, line = "GET / HTTP/1.1"): number | undefined {
  return checkRequest(parseHead("request", `${line}\r\n${fields}\r\n`))?.status;
}

function body(fields: string, version = "HTTP/1.1"): unknown {
  const size = bodyBytes(parseHead("request", `POST / ${version}\r\n${fields}\r\n`));
  return typeof size === "number" ? size : size.status;
}

describe("request rules", () => {
  it("want one Host in HTTP/1.1", () => {
    expect(check("Host: a\r\n")).toBe(undefined);
    expect(check("Host: a:8080\r\n")).toBe(undefined);
    expect(check("Host: [::1]:80\r\n")).toBe(undefined);
    expect(check("")).toBe(400);
    expect(check("Host: a\r\nHost: a\r\n")).toBe(400);
    expect(check("", "GET / HTTP/1.0")).toBe(undefined);
  });

  it("refuse a Host that would become another part of a URL", () => {
    for (const host of ["a/b", "a b", "user@a", "a?b", "a#b", "a\\b", "a\xe9", "<a>"]) {
      expect(check(`Host: ${host}\r\n`)).toBe(400);
    }
  });

  it("read the body's announced size", () => {
    expect(body("")).toBe(0);
    expect(body("Content-Length: 0\r\n")).toBe(0);
    expect(body("Content-Length: 123456\r\n")).toBe(123_456);
    expect(body("Transfer-Encoding: Chunked\r\n")).toBe(BODY_CHUNKED);
  });

  it("refuse conflicting, repeated, negative, huge and unreadable lengths", () => {
    expect(body("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n")).toBe(400);
    expect(body("Content-Length: 1\r\nContent-Length: 2\r\n")).toBe(400);
    expect(body("Content-Length: 1\r\nContent-Length: 1\r\n")).toBe(400);
    for (const length of ["-1", "+1", "1.0", "0x10", "1e3", "1,1", "", "1 2"]) {
      expect(body(`Content-Length: ${length}\r\n`)).toBe(400);
    }
    expect(body(`Content-Length: ${"9".repeat(16)}\r\n`)).toBe(413);
  });

  it("refuse every Transfer-Encoding but one that is chunked", () => {
    expect(body("Transfer-Encoding: gzip, chunked\r\n")).toBe(501);
    expect(body("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n")).toBe(501);
    expect(body("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")).toBe(501);
    for (const encoding of [
      "",
      "identity",
      "gzip",
      "xchunked",
      "chunked, gzip",
      "chunked;q=1",
      '"chunked"',
    ]) {
      expect(body(`Transfer-Encoding: ${encoding}\r\n`)).toBe(400);
    }
    expect(body("Transfer-Encoding: chunked\r\n", "HTTP/1.0")).toBe(400);
  });
});
