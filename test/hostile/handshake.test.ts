/** Opening handshakes that break the rules, in both directions: the right status or error, and nobody else disturbed. */

import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { RingwireError, type ServeOptions, type Socket } from "../../src/mod.ts";
import { HeadParser } from "../../src/protocol/http_head.ts";
import { readUpgrade } from "../../src/protocol/upgrade.ts";
import { checkUpgradeResponse } from "../../src/protocol/upgrade_request.ts";
import type { RawPeer } from "../conformance/raw_peer.ts";
import { onEachTransport, type Rig } from "../conformance/rig.ts";
import { concat, frame, KEY } from "../protocol/frames.ts";
import { Attack } from "./attack.ts";
import { growth, LINEAR_LIMIT } from "./growth.ts";

const KEY_FIELD = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A handshake with some lines replaced (`"Host": undefined` drops it) and others added. */
function request(
  changes: Readonly<Record<string, string | undefined>> = {},
  more: readonly string[] = [],
): string {
  const lines: Record<string, string> = {
    line: "GET / HTTP/1.1",
    Host: "Host: localhost",
    Upgrade: "Upgrade: websocket",
    Connection: "Connection: Upgrade",
    Key: KEY_FIELD,
    Version: "Sec-WebSocket-Version: 13",
  };
  const kept = Object.entries({ ...lines, ...changes }).flatMap(([, line]) =>
    line === undefined ? [] : [line],
  );
  return `${[...kept, ...more].join("\r\n")}\r\n\r\n`;
}

/** Bytes of a string whose characters are bytes. */
function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function parsedRequest(bytes: Uint8Array): HeadParser {
  const parser = new HeadParser("request", { maxBytes: 1 << 26, maxHeaders: 10_000 });
  parser.feed(bytes, 0, bytes.length);
  return parser;
}

/** Row, what is asked, the request, the status it gets; a field the answer must have. */
type BadRequest = readonly [row: string, what: string, text: string, status: number, field?: RegExp];

const LONG = "x".repeat(9_000);
const BAD_REQUESTS: readonly BadRequest[] = [
  ["handshake.request", "POST", request({ line: "POST / HTTP/1.1" }), 405, /\r\nallow: GET\r\n/i],
  ["handshake.request", "HEAD", request({ line: "HEAD / HTTP/1.1" }), 405, /\r\nallow: GET\r\n/i],
  ["handshake.request", "get in lower case", request({ line: "get / HTTP/1.1" }), 405],
  ["handshake.request", "HTTP/1.0", request({ line: "GET / HTTP/1.0" }), 400],
  ["handshake.request", "HTTP/2.0", request({ line: "GET / HTTP/2.0" }), 505],
  ["handshake.request", "HTTP/1.15", request({ line: "GET / HTTP/1.15" }), 400],
  ...["8", "0", "14", "255", "013", "13.0", "+13", "13, 13", "thirteen", ""].map(
    (version): BadRequest => [
      "handshake.request",
      `version "${version}"`,
      request({ Version: `Sec-WebSocket-Version: ${version}` }),
      426,
      /\r\nsec-websocket-version: 13\r\n/i,
    ],
  ),
  [
    "handshake.request",
    "no version",
    request({ Version: undefined }),
    426,
    /\r\nsec-websocket-version: 13\r\n/i,
  ],
  ["handshake.request", "no key", request({ Key: undefined }), 400],
  ...[
    "",
    "short",
    "dGhlIHNhbXBsZSBub25jZQ=",
    "dGhlIHNhbXBsZSBub25jZQ===",
    "dGhlIHNhbXBsZSBub25j ZQ==",
    "dGhlIHNhbXBsZSBub25jZ*==",
    `${"A".repeat(30)}==`,
    "\xff".repeat(22).concat("=="),
  ].map(
    (key): BadRequest => [
      "handshake.request",
      `the key ${JSON.stringify(key)}`,
      request({ Key: `Sec-WebSocket-Key: ${key}` }),
      400,
    ],
  ),
  ["handshake.request", "no Connection", request({ Connection: undefined }), 400],
  ["handshake.request", "Connection: keep-alive", request({ Connection: "Connection: keep-alive" }), 400],
  ["handshake.request", "Connection: upgraded", request({ Connection: "Connection: upgraded" }), 400],
  ["handshake.request", "Upgrade: websocket2", request({ Upgrade: "Upgrade: websocket2" }), 400],
  ["handshake.request", "a key without Upgrade", request({ Upgrade: undefined }), 400],
  ["handshake.request", "no Host", request({ Host: undefined }), 400],
  ["handshake.request", "a Host with a path", request({ Host: "Host: x/y" }), 400],
  ["handshake.request", "a Host with userinfo", request({ Host: "Host: a@b" }), 400],
  ["handshake.duplicates", "two Hosts", request({}, ["Host: localhost"]), 400],
  ["handshake.duplicates", "two keys", request({}, [KEY_FIELD]), 400],
  ["handshake.duplicates", "two versions", request({}, ["Sec-WebSocket-Version: 13"]), 400],
  ["handshake.duplicates", "two Origins", request({}, ["Origin: https://a", "Origin: https://b"]), 400],
  ["handshake.duplicates", "the same subprotocol twice", request({}, ["Sec-WebSocket-Protocol: a, a"]), 400],
  [
    "handshake.duplicates",
    "the same subprotocol in two fields",
    request({}, ["Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: a"]),
    400,
  ],
  ["handshake.size", "65 fields", request({}, new Array(60).fill("X: y")), 431],
  ["handshake.size", "a field of 9,000 bytes", request({}, [`X: ${LONG}`]), 431],
  ["handshake.size", "a field name of 9,000 bytes", request({}, [`${LONG}: x`]), 431],
  ["handshake.size", "a target of 9,000 bytes", request({ line: `GET /${LONG} HTTP/1.1` }), 431],
  ["handshake.size", "a method of 9,000 bytes, no line end", LONG, 431],
  ["handshake.bytes", "a bare CR in the target", request({ line: "GET /\rX: y HTTP/1.1" }), 400],
  ["handshake.bytes", "a bare LF in the target", request({ line: "GET /\nX: y HTTP/1.1" }), 400],
  ["handshake.bytes", "a bare CR in a value", request({}, ["X: a\rY: b"]), 400],
  ["handshake.bytes", "a bare LF in a value", request({}, ["X: a\nY: b"]), 400],
  ["handshake.bytes", "NUL in a value", request({}, ["X: a\0b"]), 400],
  ["handshake.bytes", "DEL in a value", request({}, ["X: a\x7fb"]), 400],
  ["handshake.bytes", "a folded value", request({}, ["X: a\r\n b"]), 400],
  ["handshake.bytes", "a space before the colon", request({}, ["X : a"]), 400],
  ["handshake.bytes", "a name with a byte above 0x7f", request({}, ["X\xe9: a"]), 400],
  ["handshake.bytes", "a line without a colon", request({}, ["X"]), 400],
  ["handshake.bytes", "an empty name", request({}, [": x"]), 400],
  ["handshake.bytes", "bytes above 0x7f in the target", request({ line: "GET /\xff\xfe HTTP/1.1" }), 400],
  [
    "handshake.bytes",
    "a subprotocol with bytes above 0x7f",
    request({}, ["Sec-WebSocket-Protocol: \xff\xfe"]),
    400,
  ],
  ["handshake.bytes", "a subprotocol with a separator", request({}, ["Sec-WebSocket-Protocol: a b"]), 400],
  [
    "handshake.bytes",
    "an empty subprotocol among others",
    request({}, ["Sec-WebSocket-Protocol: a,,b"]),
    400,
  ],
  ["handshake.bytes", "TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400],
  ["handshake.bytes", "zeros", "\0\0\0\0\0\0\0\0", 400],
  ["handshake.body", "a Content-Length", `${request({}, ["Content-Length: 5"])}hello`, 400],
  ["handshake.body", "chunked", `${request({}, ["Transfer-Encoding: chunked"])}0\r\n\r\n`, 400],
  [
    "handshake.body",
    "a length and chunked",
    request({}, ["Content-Length: 0", "Transfer-Encoding: chunked"]),
    400,
  ],
  ["handshake.body", "lengths that conflict", request({}, ["Content-Length: 0", "Content-Length: 5"]), 400],
  ["handshake.body", "the same length twice", request({}, ["Content-Length: 0", "Content-Length: 0"]), 400],
  ["handshake.body", "a list of lengths", request({}, ["Content-Length: 0, 0"]), 400],
  ["handshake.body", "a negative length", request({}, ["Content-Length: -1"]), 400],
  ["handshake.body", "a length in hexadecimal", request({}, ["Content-Length: 0x0"]), 400],
  ["handshake.body", "a length with a sign", request({}, ["Content-Length: +0"]), 400],
  ["handshake.body", "a length of 30 digits", request({}, [`Content-Length: ${"9".repeat(30)}`]), 413],
  ["handshake.body", "Transfer-Encoding: gzip", request({}, ["Transfer-Encoding: gzip"]), 400],
  [
    "handshake.body",
    "Transfer-Encoding: gzip, chunked",
    request({}, ["Transfer-Encoding: gzip, chunked"]),
    501,
  ],
  [
    "handshake.body",
    "Transfer-Encoding with a vertical tab",
    request({}, ["Transfer-Encoding: \x0bchunked"]),
    400,
  ],
  ["handshake.targets", "userinfo in the target", request({ line: "GET http://a@b/ HTTP/1.1" }), 400],
  ["handshake.targets", "no target", request({ line: "GET  HTTP/1.1" }), 400],
  ["handshake.targets", "two spaces", request({ line: "GET  / HTTP/1.1" }), 400],
];

const UPGRADED = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
const ACCEPTED = [...UPGRADED, "Sec-WebSocket-Accept: ACCEPT"];

/** Row, what the server says (ACCEPT stands for the right value), the client's error. */
const BAD_ANSWERS: readonly (readonly [row: string, what: string, lines: readonly string[], code: string])[] =
  [
    ["handshake.answer", "no Accept", UPGRADED, "ERR_HANDSHAKE_FAILED"],
    ["handshake.answer", "an empty Accept", [...UPGRADED, "Sec-WebSocket-Accept:"], "ERR_HANDSHAKE_FAILED"],
    [
      "handshake.answer",
      "another key's Accept",
      [...UPGRADED, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="],
      "ERR_HANDSHAKE_FAILED",
    ],
    [
      "handshake.answer",
      "the right Accept twice",
      [...ACCEPTED, "Sec-WebSocket-Accept: ACCEPT"],
      "ERR_HANDSHAKE_FAILED",
    ],
    [
      "handshake.answer",
      "the right Accept with a letter more",
      [...UPGRADED, "Sec-WebSocket-Accept: ACCEPTx"],
      "ERR_HANDSHAKE_FAILED",
    ],
    [
      "handshake.answer",
      "no Upgrade",
      ACCEPTED.filter((line) => line !== UPGRADED[1]),
      "ERR_HANDSHAKE_FAILED",
    ],
    [
      "handshake.answer",
      "no Connection",
      ACCEPTED.filter((line) => line !== UPGRADED[2]),
      "ERR_HANDSHAKE_FAILED",
    ],
    [
      "handshake.answer",
      "Connection: close",
      [UPGRADED[0]!, UPGRADED[1]!, "Connection: close", ACCEPTED[3]!],
      "ERR_HANDSHAKE_FAILED",
    ],
    [
      "handshake.answer",
      "Upgrade: websocket, h2c",
      [UPGRADED[0]!, "Upgrade: websocket, h2c", UPGRADED[2]!, ACCEPTED[3]!],
      "ERR_HANDSHAKE_FAILED",
    ],
    [
      "handshake.answer",
      "a subprotocol that was not offered",
      [...ACCEPTED, "Sec-WebSocket-Protocol: evil"],
      "ERR_HANDSHAKE_FAILED",
    ],
    [
      "handshake.answer",
      "the offered subprotocol in another case",
      [...ACCEPTED, "Sec-WebSocket-Protocol: V1"],
      "ERR_HANDSHAKE_FAILED",
    ],
    [
      "handshake.answer",
      "two of the offered subprotocols",
      [...ACCEPTED, "Sec-WebSocket-Protocol: v1, v2"],
      "ERR_HANDSHAKE_FAILED",
    ],
    [
      "handshake.answer",
      "the same subprotocol in two fields",
      [...ACCEPTED, "Sec-WebSocket-Protocol: v1", "Sec-WebSocket-Protocol: v1"],
      "ERR_HANDSHAKE_FAILED",
    ],
    [
      "handshake.answer",
      "an empty subprotocol",
      [...ACCEPTED, "Sec-WebSocket-Protocol:"],
      "ERR_HANDSHAKE_FAILED",
    ],
    [
      "handshake.answer",
      "an extension that was not offered",
      [...ACCEPTED, "Sec-WebSocket-Extensions: x-webkit-deflate-frame"],
      "ERR_HANDSHAKE_FAILED",
    ],
    [
      "handshake.answer",
      "200",
      ["HTTP/1.1 200 OK", ...UPGRADED.slice(1), "Sec-WebSocket-Accept: ACCEPT"],
      "ERR_HANDSHAKE_REFUSED",
    ],
    [
      "handshake.answer",
      "a redirect",
      ["HTTP/1.1 307 Temporary Redirect", "Location: ws://elsewhere/"],
      "ERR_HANDSHAKE_REFUSED",
    ],
    ["handshake.answer", "an interim answer", ["HTTP/1.1 103 Early Hints"], "ERR_HANDSHAKE_REFUSED"],
    ["handshake.size", "65 fields", [...ACCEPTED, ...new Array(62).fill("X: y")], "ERR_HEADERS_TOO_LARGE"],
    ["handshake.size", "a field of 9,000 bytes", [...ACCEPTED, `X: ${LONG}`], "ERR_HEADERS_TOO_LARGE"],
    [
      "handshake.size",
      "a reason of 9,000 bytes",
      [`${UPGRADED[0]} ${LONG}`, ...ACCEPTED.slice(1)],
      "ERR_HEADERS_TOO_LARGE",
    ],
    [
      "handshake.bytes",
      "a bare LF between fields",
      [`${ACCEPTED.join("\r\n")}\nX: y`],
      "ERR_HANDSHAKE_FAILED",
    ],
    ["handshake.bytes", "NUL in a value", [...ACCEPTED, "X: a\0b"], "ERR_HANDSHAKE_FAILED"],
    [
      "handshake.bytes",
      "a control character in the reason",
      ["HTTP/1.1 101 Switch\x07ing", ...ACCEPTED.slice(1)],
      "ERR_HANDSHAKE_FAILED",
    ],
    [
      "handshake.bytes",
      "a subprotocol with bytes above 0x7f",
      [...ACCEPTED, "Sec-WebSocket-Protocol: \xff\xfe"],
      "ERR_HANDSHAKE_FAILED",
    ],
    [
      "handshake.bytes",
      "an extension with bytes above 0x7f",
      [...ACCEPTED, "Sec-WebSocket-Extensions: \xff\xfe"],
      "ERR_HANDSHAKE_FAILED",
    ],
    [
      "handshake.names",
      "a folded field named __proto__",
      [...ACCEPTED, "__proto__: a", " b"],
      "ERR_HANDSHAKE_FAILED",
    ],
  ];

/** A server that says these lines, whatever it is asked. */
function answering(
  rig: Rig,
  lines: readonly string[],
  behind: Uint8Array = new Uint8Array(0),
): ReturnType<Rig["rawServer"]> {
  return rig.rawServer(async (peer) => {
    const asked = await peer.head();
    const key = /sec-websocket-key: (.*)\r\n/i.exec(asked)?.[1] ?? "";
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    peer.write(concat(bytesOf(`${lines.join("\r\n").replaceAll("ACCEPT", accept)}\r\n\r\n`), behind));
  });
}

test("[handshake.linear] a head, its lists and its checks take time in proportion to their size", () => {
  const filled = (field: string): string => request({}, [field]);
  for (const [what, build] of [
    ["blanks in Connection", (size: number) => filled(`Connection: Upgrade,${" ".repeat(size)}x`)],
    ["blanks in Upgrade", (size: number) => filled(`Upgrade: ${"\t ".repeat(size / 2)}x`)],
    [
      "blanks in Sec-WebSocket-Protocol",
      (size: number) => filled(`Sec-WebSocket-Protocol: a${" ".repeat(size)}b`),
    ],
    [
      "commas in Sec-WebSocket-Protocol",
      (size: number) => filled(`Sec-WebSocket-Protocol: ${",".repeat(size)}`),
    ],
    ["commas in Connection", (size: number) => filled(`Connection: ${" ,".repeat(size / 2)}`)],
    [
      "an open quote in Sec-WebSocket-Extensions",
      (size: number) => filled(`Sec-WebSocket-Extensions: a; b="${"\\c".repeat(size / 2)}`),
    ],
    [
      "many subprotocols",
      (size: number) =>
        filled(
          `Sec-WebSocket-Protocol: ${Array.from({ length: size / 8 }, (_, index) => `p${index}`).join(",")}`,
        ),
    ],
    ["a long target", (size: number) => request({ line: `GET /${"a".repeat(size)} HTTP/1.1` })],
  ] as const) {
    const ratio = growth(16 * 1_024, (size) => {
      const bytes = new TextEncoder().encode(build(size));
      return () => readUpgrade(parsedRequest(bytes));
    });
    expect(ratio, what).toBeLessThan(LINEAR_LIMIT);
  }
});

test("[handshake.linear] a head that comes byte by byte is not read again from its start, by servers and clients", () => {
  for (const kind of ["request", "response"] as const) {
    const ratio = growth(8 * 1_024, (size) => {
      const first = kind === "request" ? request() : `${UPGRADED.join("\r\n")}\r\n\r\n`;
      const bytes = new TextEncoder().encode(first.replace("\r\n\r\n", `\r\nX: ${"y".repeat(size)}\r\n\r\n`));
      return () => {
        const parser = new HeadParser(kind, { maxBytes: 1 << 24, maxHeaders: 100 });
        for (let at = 0; at < bytes.length; at++) parser.feed(bytes, at, at + 1);
        if (kind === "request") return readUpgrade(parser);
        expect(() =>
          checkUpgradeResponse(parser, { accept: "x", protocols: [], deflate: undefined }),
        ).toThrow();
        return undefined;
      };
    });
    expect(ratio, kind).toBeLessThan(LINEAR_LIMIT);
  }
});

onEachTransport("hostile handshakes", (rig) => {
  for (const [row, what, text, status, field] of BAD_REQUESTS) {
    test(`[${row}] ${what} in a request: ${status}`, async () => {
      const attack = await Attack.prepare(rig);
      const peer = await rig.raw(attack.server);
      peer.write(bytesOf(text));
      const head = await peer.head();
      expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      expect(head).toMatch(/\r\nconnection: close\r\n/i);
      if (field !== undefined) expect(head).toMatch(field);
      await peer.until("it is over", () => peer.isOver);
      expect(peer.text).not.toMatch(/HTTP\/1\.1 \d/);
      expect(attack.journal.kinds).toEqual([]);
      await attack.expectUnharmed();
    });
  }

  for (const [row, what, lines, code] of BAD_ANSWERS) {
    test(`[${row}] ${what} in an answer: ${code}`, async () => {
      const attack = await Attack.prepare(rig, "client");
      const server = await answering(rig, lines, frame(0x81, "not to be seen"));
      const seen: unknown[] = [];
      const attempt = rig.connect(server, {
        protocols: ["v1", "v2"],
        websocket: { message: (_, data) => seen.push(data), open: () => seen.push("open") },
      });
      const error = await attempt.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(RingwireError);
      expect((error as RingwireError).code).toBe(code);
      if (code === "ERR_HANDSHAKE_REFUSED")
        expect((error as RingwireError).status).toBe(Number(lines[0]!.slice(9, 12)));
      await attack.expectUnharmed();
      expect(seen).toEqual([]);
    });
  }

  test("[handshake.names] header names from Object.prototype are fields like any other", async () => {
    const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf", "__defineGetter__"];
    const seen: (string | null)[] = [];
    const server = await rig.serve({
      requiredHeaders: ["Constructor"],
      fetch(request, it) {
        seen.push(...names.map((name) => request.headers.get(name)));
        it.upgrade(request);
        return undefined;
      },
      websocket: {},
    });
    const peer = await rig.raw(server);
    expect(await peer.upgrade(names.map((name, index) => `${name}: ${index}`))).toContain(" 101 ");
    expect(seen).toEqual(names.map((_, index) => `${index}`));
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    const without = await rig.raw(server);
    expect(await without.upgrade()).toContain("400 Bad Request");
    const offering = await rig.raw(server);
    const head = await offering.upgrade(["constructor: x", "Sec-WebSocket-Protocol: __proto__, constructor"]);
    expect(head).toContain(" 101 ");
    expect(head).not.toMatch(/sec-websocket-protocol/i);
  });

  test("[handshake.bytes] header bytes above 0x7f reach the program as they are, and harm nothing", async () => {
    const seen: (string | null)[] = [];
    const server = await rig.serve({
      fetch(request, it) {
        seen.push(request.headers.get("x-name"));
        it.upgrade(request);
        return undefined;
      },
      websocket: {},
    });
    const peer = await rig.raw(server);
    peer.write(bytesOf(request({}, ["X-Name: \xff\xfe caf\xe9"])));
    expect(await peer.head()).toContain(" 101 ");
    expect(seen).toEqual(["\xff\xfe caf\xe9"]);
    const answer = await answering(rig, [...ACCEPTED, "X-Name: \xff\xfe"]);
    expect((await rig.connect(answer)).state).toBe("open");
  });

  test("[handshake.bytes] CR and LF from our own program never reach the wire, in requests or answers", async () => {
    let heads = 0;
    const listening = await rig.rawServer((peer) => void peer.head().then(() => heads++));
    const evil = "x\r\nInjected: yes\r\n\r\nGET /smuggled HTTP/1.1";
    for (const options of [
      { headers: { "x-a": evil } },
      { headers: [[evil, "x"]] },
      { protocols: evil },
      { protocols: ["ok", evil] },
      { headers: { "x-a": "\u0130\u010a" } },
    ]) {
      await expect(rig.connect(listening, options as object)).rejects.toThrow(TypeError);
    }
    // The URL parser escapes or drops them.
    const asked: string[] = [];
    const server = await rig.rawServer((peer) => void peer.acceptUpgrade().then((head) => asked.push(head)));
    for (const path of ["a\r\nInjected: yes", "a b?c=\r\nd", "%0d%0aInjected:%20yes"])
      await rig.connect(`${server.url}${path}`);
    expect(asked.length).toBe(3);
    for (const head of asked) expect(head).not.toMatch(/^injected/im);
    expect(heads).toBe(0);

    const faults: string[] = [];
    const upgrading = await rig.serve({
      fetch(request, it) {
        for (const options of [
          { headers: { "x-a": evil } },
          { headers: [[evil, "x"]] },
          { protocol: evil },
          { headers: { "sec-websocket-accept": "x" } },
        ]) {
          try {
            it.upgrade(request, options as object);
          } catch (error) {
            faults.push((error as Error).name);
          }
        }
        return new Response("refused", { status: 403 });
      },
      websocket: {},
    });
    const peer = await rig.raw(upgrading);
    expect(await peer.upgrade()).not.toMatch(/injected/i);
    expect(faults.length).toBeGreaterThanOrEqual(2);
    expect(new Set(faults)).toEqual(new Set(["TypeError"]));
  });

  test("[handshake.slowloris] 100 peers that drip their heads, or say nothing, are gone in time, and others are served meanwhile", async () => {
    const attack = await Attack.prepare(rig, "server", {}, { handshakeTimeoutMs: 250 });
    const slow = await Promise.all(Array.from({ length: 100 }, () => rig.raw(attack.server)));
    for (const [index, peer] of slow.entries())
      if (index % 2 === 0) peer.write(`GET / HTTP/1.1\r\nHost: x\r\nX-${index}: `);
    const drip = setInterval(() => {
      for (const [index, peer] of slow.entries()) if (index % 2 === 0 && !peer.isOver) peer.write("a");
    }, 20);
    rig.after(() => clearInterval(drip));
    const startMs = performance.now();
    await attack.expectUnharmed();
    const newcomer = await rig.raw(attack.server);
    expect(await newcomer.upgrade()).toContain(" 101 ");
    for (const [index, peer] of slow.entries()) {
      await peer.until("it is over", () => peer.isOver);
      if (index % 2 === 0) expect(peer.text).toContain("408 Request Timeout");
      else expect(peer.text).toBe("");
    }
    expect(performance.now() - startMs).toBeGreaterThan(150);
  });

  test("[handshake.slowloris] a body that drips has the deadline of its request, not one per byte", async () => {
    const attack = await Attack.prepare(
      rig,
      "server",
      {},
      {
        handshakeTimeoutMs: 200,
        fetch: (request, it) => (it.upgrade(request) ? undefined : new Response("x")),
      },
    );
    const peer = await rig.raw(attack.server);
    peer.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
    const drip = setInterval(() => peer.write("a"), 10);
    rig.after(() => clearInterval(drip));
    expect(await peer.head()).toContain("408 Request Timeout");
    await attack.expectUnharmed();
  });

  test("[handshake.slowloris] a server that drips its answer, or none, costs a client its handshakeTimeoutMs", async () => {
    const attack = await Attack.prepare(rig, "client");
    const drips: ReturnType<typeof setInterval>[] = [];
    rig.after(() => drips.forEach(clearInterval));
    const server = await rig.rawServer((peer) => {
      peer.write("HTTP/1.1 101 Switching Protocols\r\nX: ");
      drips.push(setInterval(() => peer.write("a"), 5));
    });
    const startMs = performance.now();
    await expect(rig.connect(server, { handshakeTimeoutMs: 100 })).rejects.toMatchObject({
      code: "ERR_HANDSHAKE_TIMEOUT",
    });
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(99);
    await attack.expectUnharmed();
  });

  for (const isLate of [false, true]) {
    test(`[handshake.pipelined] frames behind the request are kept, in order${isLate ? ", though fetch decides late" : ""}`, async () => {
      const attack = await Attack.prepare(
        rig,
        "server",
        {},
        {
          ...(isLate
            ? {
                async fetch(
                  asked: Request,
                  it: Parameters<NonNullable<ServeOptions<undefined>["fetch"]>>[1],
                ) {
                  if (!asked.url.endsWith("/bystander")) await pause(60);
                  return it.upgrade(asked) ? undefined : new Response("no");
                },
              }
            : {}),
        },
      );
      const peer = await rig.raw(attack.server);
      const messages = Array.from({ length: 300 }, (_, index) => `${index} ${"x".repeat(1_000)}`);
      peer.write(concat(bytesOf(request()), ...messages.map((text) => frame(0x81, text, { key: KEY }))));
      expect(await peer.head()).toContain(" 101 ");
      await attack.journal.see("message", messages.length);
      expect(attack.journal.messages).toEqual(messages);
    });
  }

  test("[handshake.pipelined] while fetch decides, a peer that goes on sending is held up, and what it has sent is kept", async () => {
    let decide: () => void = () => undefined;
    const decided = new Promise<void>((resolve) => {
      decide = resolve;
    });
    let bytes = 0;
    const attack = await Attack.prepare(
      rig,
      "server",
      {
        message(_ws: Socket, data) {
          bytes += data.length;
        },
      },
      {
        async fetch(asked, it) {
          if (!asked.url.endsWith("/bystander")) await decided;
          return it.upgrade(asked) ? undefined : new Response("no");
        },
      },
    );
    const peer: RawPeer = await rig.raw(attack.server);
    peer.write(request());
    const block = concat(...new Array(16).fill(frame(0x82, new Uint8Array(65_536), { key: KEY })));
    let sent = 0;
    // The kernel's buffers take some megabytes, and not all at once: held up is who gets rid of nothing for a while.
    for (let waiting = -1; waiting !== peer.socket.writableLength && sent < 64; ) {
      while (peer.socket.writableLength < 2 << 20 && sent < 64) {
        peer.write(block);
        sent++;
        await pause(1);
      }
      waiting = peer.socket.writableLength;
      await pause(60);
    }
    expect(sent).toBeLessThan(64);
    expect(peer.socket.writableLength).toBeGreaterThan(0);
    await attack.expectUnharmed();
    decide();
    while (bytes < sent << 20) await pause(1);
    expect(bytes).toBe(sent << 20);
  });

  test("[handshake.pipelined] messages right behind the answer reach a client after open, bad ones too", async () => {
    const order: string[] = [];
    const server = await answering(rig, ACCEPTED, concat(frame(0x81, "first"), frame(0x83, "bad")));
    const closed = new Promise<void>((resolve) => {
      void rig.connect(server, {
        websocket: {
          open: () => order.push("open"),
          message: (_ws, data) => order.push(`message ${data}`),
          error: (_ws, error) => order.push(error.code),
          close: (_ws, code) => {
            order.push(`close ${code}`);
            resolve();
          },
          closeTimeoutMs: 100,
        },
      });
    });
    await closed;
    expect(order).toEqual(["open", "message first", "ERR_PROTOCOL", "close 1002"]);
  });

  test("[handshake.origin] with the option origins, pages of others get 403 before any handler runs", async () => {
    const attack = await Attack.prepare(rig, "server", {}, { origins: ["https://ours.example"] });
    const foreign = [
      "https://evil.example",
      "null",
      "https://ours.example.evil.example",
      "https://ours.example:8443",
      "http://ours.example",
      "HTTPS://OURS.EXAMPLE",
      "https://ours.example/",
      "https://ours.example, https://evil.example",
      "*",
      "",
    ];
    for (const origin of foreign) {
      const peer = await rig.raw(attack.server);
      expect(await peer.upgrade([`Origin: ${origin}`]), origin).toContain("403 Forbidden");
    }
    expect(attack.journal.kinds).toEqual([]);
    const ours = await rig.raw(attack.server);
    expect(await ours.upgrade(["Origin: https://ours.example"])).toContain(" 101 ");
  });

  test("[handshake.targets] odd targets crash nothing and never change the host of ws.url", async () => {
    const attack = await Attack.prepare(rig);
    const targets = [
      "*",
      "//evil.example/x",
      "/\\evil.example",
      "/?",
      "/#fragment",
      "/%",
      "/%zz",
      "/..%2f..",
      "/%00",
      "/a//b",
      "http://localhost/absolute",
      "ftp://x/",
      "javascript:alert(1)",
      "data:,x",
      "file:///etc/passwd",
      ":80",
      "[",
      "/[",
      "?x",
      "a",
      '/{}|^`"<>',
    ];
    for (const target of targets) {
      const peer = await rig.raw(attack.server);
      peer.write(request({ line: `GET ${target} HTTP/1.1` }));
      expect(await peer.head(), target).toMatch(/^HTTP\/1\.1 (101|400) /);
    }
    for (const socket of attack.journal.sockets) {
      expect(socket.url).toMatch(/^ws:\/\/localhost\//);
    }
    await attack.expectUnharmed();
  });

  test("[handshake.targets] fetch gets a Request of our own host for every odd target, or never runs", async () => {
    const urls: string[] = [];
    const server = await rig.serve({
      fetch(asked) {
        urls.push(asked.url);
        return new Response("x");
      },
      websocket: {},
    });
    for (const target of [
      "//evil.example/x",
      "/\\evil.example/x",
      "/@evil.example",
      "/%2e%2e/x",
      "/./../x",
    ]) {
      const peer = await rig.raw(server);
      peer.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
      await peer.until("it is over", () => peer.isOver);
    }
    for (const url of urls) expect(new URL(url).host).toBe("localhost");
  });

  test("[handshake.pipelined] while fetch decides, bytes that come one by one are held in one buffer", async () => {
    let decide: () => void = () => undefined;
    const decided = new Promise<void>((resolve) => {
      decide = resolve;
    });
    const attack = await Attack.prepare(
      rig,
      "server",
      {},
      {
        async fetch(asked, it) {
          if (!asked.url.endsWith("/bystander")) await decided;
          return it.upgrade(asked) ? undefined : new Response("no");
        },
      },
    );
    const peer = await rig.raw(attack.server);
    peer.write(request());
    const wire = frame(0x81, "x".repeat(3_000), { key: KEY });
    for (const byte of wire) {
      peer.write(Uint8Array.of(byte));
      if (byte % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    decide();
    expect(await peer.head()).toContain(" 101 ");
    await attack.journal.see("message");
    expect(attack.journal.messages).toEqual(["x".repeat(3_000)]);
  });

  test("[handshake.pipelined] requests that come in one piece are answered in order, and the last may upgrade", async () => {
    const attack = await Attack.prepare(
      rig,
      "server",
      {},
      {
        fetch: (asked, it) =>
          it.upgrade(asked) ? undefined : new Response(null, { headers: { at: asked.url } }),
      },
    );
    const peer = await rig.raw(attack.server);
    const plain = Array.from(
      { length: 1_000 },
      (_, index) => `GET /${index} HTTP/1.1\r\nHost: x\r\n\r\n`,
    ).join("");
    peer.write(concat(bytesOf(plain), bytesOf(request()), frame(0x81, "behind", { key: KEY })));
    for (let index = 0; index < 1_000; index++)
      expect(await peer.head()).toContain(`at: http://x/${index}\r\n`);
    expect(await peer.head()).toContain(" 101 ");
    await attack.journal.see("message");
    expect(attack.journal.messages).toEqual(["behind"]);
  });
});
