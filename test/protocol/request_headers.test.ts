import { describe, expect, it } from "vitest";
import { HeadParser } from "../../src/protocol/http_head.ts";
import { type RequestHeaders, requestHeaders } from "../../src/protocol/request_headers.ts";
import { writeUpgradeRequest } from "../../src/protocol/upgrade_request.ts";

const LINE_ENDS = ["\r", "\n", "\r\nX: y", "\0", "\u010d\u010a"];

describe("request headers", () => {
  it("say who asks, each in its own form", () => {
    expect(requestHeaders({})).toEqual({});
    expect(requestHeaders({ bearer: "mF_9.B5f-4.1JqM==" })).toEqual({
      authorization: "Bearer mF_9.B5f-4.1JqM==",
    });
    expect(requestHeaders({ apiKey: "k 1" })).toEqual({ "x-api-key": "k 1" });
    expect(requestHeaders({ apiKey: { name: "X-Venue-Key", value: "k1" } })).toEqual({ "x-venue-key": "k1" });
    expect(requestHeaders({ userAgent: "ticker/1.2 (night)" })).toEqual({
      "user-agent": "ticker/1.2 (night)",
    });
    expect(requestHeaders({ cookies: { a: "1", b: '"x"', c: "" } })).toEqual({ cookie: 'a=1; b="x"; c=' });
  });

  it("take the example of RFC 7617 §2, and names in UTF-8 as in §2.1", () => {
    const basic = (user: string, password: string): string =>
      requestHeaders({ basic: { user, password } }).authorization;
    expect(basic("Aladdin", "open sesame")).toBe("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    expect(basic("test", "123£")).toBe("Basic dGVzdDoxMjPCow==");
    expect(basic("a", "b:c")).toBe(`Basic ${btoa("a:b:c")}`);
    expect(() => basic("a:b", "c")).toThrow(TypeError);
    expect(() => basic("a", "b\n")).toThrow(TypeError);
  });

  it("take an origin without a path, or that of a URL", () => {
    for (const origin of ["https://app.example", "http://localhost:8080", "null"]) {
      expect(requestHeaders({ origin })).toEqual({ origin });
    }
    expect(requestHeaders({ origin: new URL("https://app.example/page?q") })).toEqual({
      origin: "https://app.example",
    });
    for (const bad of [
      "https://app.example/",
      "https://app.example/page",
      "app.example",
      "",
      "https://a\r\nX: y",
      "data:x",
    ]) {
      expect(() => requestHeaders({ origin: bad })).toThrow(TypeError);
    }
  });

  it("refuse what would end the line, everywhere", () => {
    for (const end of LINE_ENDS) {
      const attempts: RequestHeaders[] = [
        { bearer: `a${end}` },
        { basic: { user: `a${end}`, password: "" } },
        { apiKey: `a${end}b` },
        { apiKey: { name: `a${end}`, value: "b" } },
        { userAgent: `a${end}b` },
        { origin: `https://a${end}` },
        { cookies: { [`a${end}`]: "b" } },
        { cookies: { a: `b${end}` } },
      ];
      // Base64 holds anything, control characters aside.
      const left = end.startsWith("\u010d")
        ? attempts.filter((attempt) => attempt.basic === undefined)
        : attempts;
      for (const attempt of left)
        expect(() => requestHeaders(attempt), JSON.stringify(attempt)).toThrow(TypeError);
    }
  });

  it("refuse what their grammar does not have, and what nobody knows", () => {
    const attempts: unknown[] = [
      { bearer: "" },
      { bearer: "a b" },
      { bearer: "a", basic: { user: "a", password: "b" } },
      { apiKey: "" },
      { userAgent: " a" },
      { cookies: {} },
      { cookies: { "a b": "c" } },
      { cookies: { a: "b;c" } },
      { cookies: { a: "b c" } },
      { token: "a" },
    ];
    for (const attempt of attempts)
      expect(() => requestHeaders(attempt as RequestHeaders)).toThrow(TypeError);
  });

  it("do not tell secrets in errors", () => {
    const secret = "s3cr\net";
    const attempts: RequestHeaders[] = [
      { bearer: secret },
      { basic: { user: "a", password: secret } },
      { apiKey: secret },
      { cookies: { session: secret } },
    ];
    for (const attempt of attempts) {
      expect(() => requestHeaders(attempt)).toThrow(
        expect.objectContaining({ message: expect.not.stringContaining("s3cr") }),
      );
    }
  });

  it("arrive as they were meant", () => {
    const headers = requestHeaders({
      bearer: "abc",
      userAgent: "t/1",
      origin: "https://app.example",
      cookies: { a: "1" },
    });
    const request = writeUpgradeRequest({
      target: "/",
      host: "feed.example",
      key: btoa("0123456789abcdef"),
      protocols: [],
      deflate: undefined,
      headers: Object.entries(headers),
    });
    const bytes = new TextEncoder().encode(request);
    const parser = new HeadParser("request", { maxBytes: 8_192, maxHeaders: 64 });
    expect(parser.feed(bytes, 0, bytes.length)).toBe(bytes.length);
    for (const [name, value] of Object.entries(headers)) expect(parser.headers.get(name)).toBe(value);
  });
});
