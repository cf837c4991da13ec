import { describe, expect, it } from "vitest";
import { statusText, writeResponseHead } from "../../src/protocol/http_response.ts";
import { parseHead } from "./heads.ts";

describe("response head", () => {
  it("is read back as it was meant", () => {
    const head = parseHead("response", writeResponseHead(426, "", [["Sec-WebSocket-Version", "13"]]));
    expect([head.status, head.reason, head.headers.get("sec-websocket-version")]).toEqual([
      426,
      "Upgrade Required",
      "13",
    ]);
    expect(writeResponseHead(299, "", [])).toBe("HTTP/1.1 299 \r\n\r\n");
    expect(writeResponseHead(200, "Fine", new Headers({ a: "b" }))).toBe("HTTP/1.1 200 Fine\r\na: b\r\n\r\n");
  });

  it("cannot be split by a reason or a header (CVE-2026-1527)", () => {
    expect(() => writeResponseHead(200, "OK\r\nX: y", [])).toThrow(TypeError);
    expect(() => writeResponseHead(200, "", [["X", "a\r\n\r\nbody"]])).toThrow(TypeError);
    expect(() => writeResponseHead(200, "", [["X\r\nY", "a"]])).toThrow(TypeError);
  });

  it("has a status of three digits", () => {
    for (const status of [99, 1000, 200.5, Number.NaN])
      expect(() => writeResponseHead(status, "", [])).toThrow(RangeError);
    expect(statusText(404)).toBe("Not Found");
    expect(statusText(599)).toBe("");
  });
});
