import { describe, expect, it } from "vitest";
import { RingwireError } from "../../src/errors.ts";
import type { DeflateTerms } from "../../src/protocol/permessage_deflate.ts";
import { readUpgrade } from "../../src/protocol/upgrade.ts";
import { checkUpgradeResponse, writeUpgradeRequest } from "../../src/protocol/upgrade_request.ts";
import { parseHead } from "./heads.ts";

const REQUEST = {
  target: "/chat?x=1",
  host: "feed.example:8080",
  key: "dGhlIHNhbXBsZSBub25jZQ==",
  protocols: [] as string[],
  deflate: undefined as DeflateTerms | undefined,
  headers: [] as [string, string][],
};
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const GOOD = ["Upgrade: WebSocket", "Connection: Upgrade", `Sec-WebSocket-Accept: ${ACCEPT}`];

function check(
  lines: readonly string[],
  protocols: string[] = [],
  line = "HTTP/1.1 101 Switching Protocols",
  deflate?: DeflateTerms,
): ReturnType<typeof checkUpgradeResponse> {
  const head = parseHead("response", [line, ...lines, "", ""].join("\r\n"));
  return checkUpgradeResponse(head, { accept: ACCEPT, protocols, deflate });
}

function failure(...args: Parameters<typeof check>): RingwireError {
  try {
    check(...args);
  } catch (error) {
    if (error instanceof RingwireError) return error;
    throw error;
  }
  throw new Error("it was accepted");
}

describe("opening handshake, client", () => {
  it("writes a request that our server accepts", () => {
    const text = writeUpgradeRequest({
      ...REQUEST,
      protocols: ["v2", "v1"],
      headers: [["Authorization", "Bearer x"]],
    });
    const head = parseHead("request", text);
    expect(head.target).toBe("/chat?x=1");
    expect(head.headers.get("host")).toBe("feed.example:8080");
    expect(head.headers.get("authorization")).toBe("Bearer x");
    expect(readUpgrade(head)).toEqual({
      kind: "upgrade",
      key: REQUEST.key,
      protocols: ["v2", "v1"],
      extensions: "",
    });
  });

  it("refuses line ends in path, host, headers and subprotocols, and headers it sets itself (CVE-2026-1527)", () => {
    const bad: Partial<typeof REQUEST>[] = [
      { target: "/a\r\nX: b" },
      { target: "/a b" },
      { target: "/\xe9" },
      { target: "a" },
      { target: "" },
      { host: "a\r\nX: b" },
      { host: "" },
      { host: "a b" },
      { protocols: ["a\r\nX: b"] },
      { protocols: [""] },
      { protocols: ["a", "a"] },
      { protocols: ["a,b"] },
      { headers: [["X", "a\r\nY: b"]] },
      { headers: [["X: a\r\nY", "b"]] },
      { headers: [["Host", "x"]] },
      { headers: [["connection", "close"]] },
      { headers: [["Sec-WebSocket-Key", "x"]] },
      { headers: [["SEC-WEBSOCKET-EXTENSIONS", "x"]] },
      { headers: [["Transfer-Encoding", "chunked"]] },
    ];
    for (const change of bad) expect(() => writeUpgradeRequest({ ...REQUEST, ...change })).toThrow(TypeError);
  });

  it("accepts a right answer and returns the chosen subprotocol", () => {
    expect(check(GOOD)).toEqual({ protocol: "", deflate: undefined });
    expect(check(GOOD, ["v2", "v1"]).protocol).toBe("");
    expect(check([...GOOD, "Sec-WebSocket-Protocol: v1"], ["v2", "v1"]).protocol).toBe("v1");
  });

  it("offers permessage-deflate, and takes an answer that names it", () => {
    const deflate: DeflateTerms = { takeover: true, windowBits: 15, peerWindowBits: 10 };
    const head = parseHead("request", writeUpgradeRequest({ ...REQUEST, deflate }));
    const offer =
      "permessage-deflate; server_max_window_bits=10; client_max_window_bits, " +
      "permessage-deflate; server_no_context_takeover; client_max_window_bits";
    expect(head.headers.getAll("sec-websocket-extensions")).toEqual([offer]);
    const answer = "permessage-deflate; server_max_window_bits=9";
    const line = "HTTP/1.1 101 Switching Protocols";
    const lines = [...GOOD, `Sec-WebSocket-Extensions: ${answer}`];
    expect(check(lines, [], line, deflate).deflate).toEqual({
      sending: { windowBits: 15, takeover: true },
      receiving: { windowBits: 9, takeover: true },
      text: answer,
    });
    // Two fields are one list: the extension stands in it twice.
    expect(failure([...lines, lines[3]], [], line, deflate).code).toBe("ERR_HANDSHAKE_FAILED");
    expect(check(GOOD, [], line, deflate).deflate).toBe(undefined);
  });

  it("reports any other status as a refusal, with the status", () => {
    for (const [line, status] of [
      ["HTTP/1.1 503 Busy", 503],
      ["HTTP/1.1 200", 200],
      ["HTTP/1.1 301 Moved", 301],
    ] as const) {
      const error = failure(GOOD, [], line);
      expect([error.code, error.status]).toEqual(["ERR_HANDSHAKE_REFUSED", status]);
    }
    expect(failure(GOOD, [], "HTTP/1.1 503 Busy").message).toContain("503 Busy");
  });

  it("tells how long the server wants to be left alone, where it says so in seconds", () => {
    const told = (value: string): number | undefined =>
      failure([...GOOD, `Retry-After: ${value}`], [], "HTTP/1.1 429 Later").retryAfterMs;
    expect([told("0"), told("120")]).toEqual([0, 120_000]);
    expect([told("Fri, 31 Dec 1999 23:59:59 GMT"), told("-1"), told("9999999")]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("repeats the first line that a refusal says in plain text, and nothing else of it", () => {
    const told = (body: string, ...lines: string[]): string => {
      const head = parseHead("response", ["HTTP/1.1 403 No", ...lines, "", ""].join("\r\n"));
      try {
        checkUpgradeResponse(
          head,
          { accept: ACCEPT, protocols: [], deflate: undefined },
          new TextEncoder().encode(body),
        );
      } catch (error) {
        return (error as Error).message.replace("Cannot open the WebSocket: the server answered ", "");
      }
      throw new Error("it was accepted");
    };
    const PLAIN = "Content-Type: text/plain; charset=utf-8";
    expect(told("Grüße\nmore", PLAIN)).toBe('"403 No": "Grüße"');
    expect(told("\r\n  a\x1b[31m\u202eb\u0000\u2028c \r\n", PLAIN)).toBe('"403 No": "a[31mbc"');
    expect(told("x".repeat(5_000), PLAIN)).toHaveLength(200 + 12);
    for (const silent of ["", "\n\n", "\x00"]) expect(told(silent, PLAIN)).toBe('"403 No"');
    expect(told("<p>no</p>", "Content-Type: text/html")).toBe('"403 No"');
    expect(told("no")).toBe('"403 No"');
    expect(told("no", PLAIN, "Content-Encoding: gzip")).toBe('"403 No"');
    expect(told("2\r\nno", PLAIN, "Transfer-Encoding: chunked")).toBe('"403 No"');
  });

  it("fails on every broken rule, and names it", () => {
    const [upgrade, connection, accept] = GOOD;
    const cases: [string[], string][] = [
      [[connection, accept], "Upgrade"],
      [["Upgrade: h2c", connection, accept], "Upgrade"],
      [[upgrade, accept], "Connection"],
      [[upgrade, "Connection: close", accept], "Connection"],
      [[upgrade, connection], "Sec-WebSocket-Accept"],
      [[upgrade, connection, "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA="], "Sec-WebSocket-Accept"],
      [[upgrade, connection, `Sec-WebSocket-Accept: ${ACCEPT.toLowerCase()}`], "Sec-WebSocket-Accept"],
      [[...GOOD, accept], "Sec-WebSocket-Accept"],
      [[...GOOD, "Sec-WebSocket-Extensions: permessage-deflate"], "extension"],
      [[...GOOD, "Sec-WebSocket-Protocol: v3"], "v3"],
      [[...GOOD, "Sec-WebSocket-Protocol: V1"], "V1"],
      [[...GOOD, "Sec-WebSocket-Protocol: v1, v2"], "v1, v2"],
      [[...GOOD, "Sec-WebSocket-Protocol: v1", "Sec-WebSocket-Protocol: v1"], "v1, v1"],
      [[...GOOD, "Sec-WebSocket-Protocol:"], "subprotocol"],
    ];
    for (const [lines, word] of cases) {
      const error = failure(lines, ["v1", "v2"]);
      expect(error.code).toBe("ERR_HANDSHAKE_FAILED");
      expect(error.message).toContain(word);
    }
    expect(failure(GOOD, [], "HTTP/1.0 101 x").code).toBe("ERR_HANDSHAKE_FAILED");
    expect(failure([...GOOD, "Sec-WebSocket-Protocol: v1"], []).code).toBe("ERR_HANDSHAKE_FAILED");
  });
});
