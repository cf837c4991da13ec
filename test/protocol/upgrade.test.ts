import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { acceptInput, readUpgrade, writeUpgradeResponse } from "../../src/protocol/upgrade.ts";
import { parseHead } from "./heads.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const FIELDS: Readonly<Record<string, string>> = {
  Host: "server.example.com",
  Upgrade: "websocket",
  Connection: "Upgrade",
  "Sec-WebSocket-Key": KEY,
  "Sec-WebSocket-Version": "13",
};

/** A handshake with some fields replaced, or left out where undefined, and lines added. */
function upgrade(
  changes: Readonly<Record<string, string | undefined>> = {},
  more = "",
  line = "GET /chat HTTP/1.1",
): ReturnType<typeof readUpgrade> {
  let text = `${line}\r\n`;
  for (const [name, value] of Object.entries({ ...FIELDS, ...changes })) {
    if (value !== undefined) text += `${name}: ${value}\r\n`;
  }
  return readUpgrade(parseHead("request", `${text}${more}\r\n`));
}

function refusal(...args: Parameters<typeof upgrade>): number | undefined {
  const answer = upgrade(...args);
  return answer?.kind === "refusal" ? answer.status : undefined;
}

describe("opening handshake, server", () => {
  it("accepts the example of RFC 6455 §1.2, and tokens in any case and list", () => {
    const wanted = { kind: "upgrade", key: KEY, protocols: [], extensions: "" };
    expect(upgrade()).toEqual(wanted);
    expect(upgrade({ Upgrade: "WebSocket", Connection: "keep-alive, upgrade" })).toEqual(wanted);
    expect(upgrade({ Upgrade: "h2c, websocket" })).toEqual(wanted);
    expect(upgrade({ Connection: "keep-alive" }, "Connection: UPGRADE\r\n")).toEqual(wanted);
    expect(upgrade({}, "Content-Length: 0\r\n")).toEqual(wanted);
  });

  it("leaves ordinary requests alone", () => {
    const ordinary = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (const fields of ["", "Upgrade: h2c\r\nConnection: Upgrade\r\n", "Connection: Upgrade\r\n"]) {
      expect(readUpgrade(parseHead("request", `${ordinary}${fields}\r\n`))).toBe(undefined);
    }
  });

  it("refuses every method but GET", () => {
    for (const method of ["POST", "HEAD", "get", "CONNECT", "OPTIONS"]) {
      expect(upgrade({}, "", `${method} /chat HTTP/1.1`)).toMatchObject({
        status: 405,
        headers: [["Allow", "GET"]],
      });
    }
  });

  it("refuses HTTP/1.0", () => {
    expect(refusal({}, "", "GET /chat HTTP/1.0")).toBe(400);
  });

  it("refuses a missing or repeated Host", () => {
    expect(refusal({ Host: undefined })).toBe(400);
    expect(refusal({}, "Host: server.example.com\r\n")).toBe(400);
  });

  it("refuses a handshake without the Upgrade and Connection tokens", () => {
    expect(refusal({ Upgrade: undefined })).toBe(400);
    expect(refusal({ Upgrade: "websockets" })).toBe(400);
    expect(refusal({ Connection: undefined })).toBe(400);
    expect(refusal({ Connection: "keep-alive, upgraded" })).toBe(400);
  });

  it("answers 426 and the version we speak to any other version", () => {
    for (const version of [undefined, "", "8", "7", "12", "14", "13.0", "013", "13, 8"]) {
      expect(upgrade({ "Sec-WebSocket-Version": version })).toMatchObject({
        status: 426,
        headers: [
          ["Upgrade", "websocket"],
          ["Sec-WebSocket-Version", "13"],
        ],
      });
    }
  });

  it("refuses keys that are not base64 of 16 bytes", () => {
    const keys = [
      undefined,
      "",
      "x",
      KEY.slice(1),
      `${KEY}=`,
      KEY.replace("==", "AA"),
      KEY.replace("d", "-"),
      `${KEY}${KEY}`,
    ];
    for (const key of keys) expect(refusal({ "Sec-WebSocket-Key": key })).toBe(400);
  });

  it("refuses repeated keys, versions and origins", () => {
    expect(refusal({}, `Sec-WebSocket-Key: ${KEY}\r\n`)).toBe(400);
    expect(refusal({}, "sec-websocket-version: 13\r\n")).toBe(400);
    expect(refusal({ Origin: "http://a" }, "Origin: http://b\r\n")).toBe(400);
  });

  it("refuses a body", () => {
    expect(refusal({}, "Content-Length: 5\r\n")).toBe(400);
    expect(refusal({}, "Content-Length: 00\r\n")).toBe(400);
    expect(refusal({}, "Transfer-Encoding: chunked\r\n")).toBe(400);
    expect(refusal({}, "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n")).toBe(400);
  });

  it("reads subprotocols in order, over several fields", () => {
    expect(
      upgrade({ "Sec-WebSocket-Protocol": "v2.json , v1" }, "Sec-WebSocket-Protocol: V1\r\n"),
    ).toMatchObject({
      protocols: ["v2.json", "v1", "V1"],
    });
  });

  it("refuses subprotocols that are empty, repeated or no tokens", () => {
    for (const list of ["", ",", "a,,b", "a, a", "a b", "a;b", "a/b", "\xe9", "__proto__ x"]) {
      expect(refusal({ "Sec-WebSocket-Protocol": list })).toBe(400);
    }
    expect(upgrade({ "Sec-WebSocket-Protocol": "__proto__, constructor" })).toMatchObject({
      protocols: ["__proto__", "constructor"],
    });
  });

  it("takes extension offers as text, one named after a prototype member too (GHSA-5v72-xg48-5rpm)", () => {
    expect(upgrade({ "Sec-WebSocket-Extensions": "constructor, __proto__" })).toMatchObject({
      kind: "upgrade",
      extensions: "constructor, __proto__",
    });
  });

  it("hashes the key with the GUID of RFC 6455 §1.3", () => {
    expect(createHash("sha1").update(acceptInput(KEY)).digest("base64")).toBe("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  });

  it("writes an answer that is read back as it was meant", () => {
    const text = writeUpgradeResponse({
      accept: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
      protocol: "chat",
      extensions: "permessage-deflate; server_max_window_bits=9",
      headers: [["X-A", "b"]],
    });
    const head = parseHead("response", text);
    expect(head.status).toBe(101);
    expect([...head.headers]).toEqual([
      ["Upgrade", "websocket"],
      ["Connection", "Upgrade"],
      ["Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="],
      ["Sec-WebSocket-Protocol", "chat"],
      ["Sec-WebSocket-Extensions", "permessage-deflate; server_max_window_bits=9"],
      ["X-A", "b"],
    ]);
  });

  it("refuses to write a broken answer (CVE-2026-1527)", () => {
    const answer = { accept: "x", protocol: "", extensions: "", headers: [] as [string, string][] };
    expect(() => writeUpgradeResponse({ ...answer, protocol: "a\r\nX: b" })).toThrow(TypeError);
    for (const field of [
      ["X", "a\r\nb"],
      ["X\n", "a"],
      ["UPGRADE", "x"],
      ["Sec-WebSocket-Accept", "x"],
      ["Content-Length", "1"],
      ["sec-websocket-extensions", "x"],
    ] as const) {
      expect(() => writeUpgradeResponse({ ...answer, headers: [field] })).toThrow(TypeError);
    }
    const headers = [[1, "x"]] as unknown as [string, string][];
    expect(() => writeUpgradeResponse({ ...answer, headers })).toThrow("Cannot send header name 1");
  });
});
