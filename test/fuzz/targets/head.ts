/**
 * The opening handshake as the other side may send it: heads with faults in any place, cut in any way. The parser and the
 * checks behind it accept exactly what a strict oracle accepts, read the same out of it, and throw nothing but their errors.
 */

import { RingwireError } from "../../../src/errors.ts";
import { HeadParser } from "../../../src/protocol/http_head.ts";
import { readUpgrade } from "../../../src/protocol/upgrade.ts";
import { checkUpgradeResponse } from "../../../src/protocol/upgrade_request.ts";
import { byteByByte, concat, randomSplit } from "../../protocol/frames.ts";
import { fromText } from "../byte_text.ts";
import { FuzzInput } from "../fuzz_input.ts";
import { isUpgraded, mayUpgrade, readStrictly, type StrictHead } from "../head_oracle.ts";
import { agree, type FuzzTarget, holds } from "../target.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const OFFERED = ["chat", "v2.feed"];

const REQUEST_LINES = [
  "GET /chat HTTP/1.1",
  "POST / HTTP/1.1",
  "GET / HTTP/1.0",
  "GET / HTTP/2.0",
  "GET http://a/ HTTP/1.1",
  "get / HTTP/1.1",
  "GET  / HTTP/1.1",
  "GET / HTTP/1.1 ",
  "GET /\t HTTP/1.1",
  "",
  "\r\nGET / HTTP/1.1",
  "GET /é HTTP/1.1",
  "HTTP/1.1 101 no",
];
const RESPONSE_LINES = [
  "HTTP/1.1 101 Switching Protocols",
  "HTTP/1.1 101",
  "HTTP/1.1 101 ",
  "HTTP/1.0 101 x",
  "HTTP/1.1 200 OK",
  "HTTP/1.1 099 x",
  "HTTP/1.1 1011 x",
  "HTTP/1.1  101 x",
  "HTTP/1.1 401 Nö",
  "HTTP/2 101 x",
  "",
];
const REQUEST_FIELDS = [
  "Host: a.example:8080",
  "Upgrade: websocket",
  "Connection: Upgrade",
  `Sec-WebSocket-Key: ${KEY}`,
  "Sec-WebSocket-Version: 13",
];
const RESPONSE_FIELDS = ["Upgrade: websocket", "Connection: Upgrade", `Sec-WebSocket-Accept: ${ACCEPT}`];
/** What else may stand there: right, wrong, and made to be read in two ways. */
const FIELDS = [
  "Sec-WebSocket-Protocol: chat, v2.feed",
  "Sec-WebSocket-Protocol: chat",
  "sec-websocket-protocol: ",
  "Sec-WebSocket-Protocol: chat,,chat",
  "Sec-WebSocket-Protocol: __proto__, constructor",
  "Content-Length: 0",
  "Content-Length: 00",
  "Content-Length: 5",
  "Content-Length: +1",
  "Content-Length: 0, 0",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: identity",
  "Transfer-Encoding : chunked",
  "__proto__: x",
  "constructor: x",
  "toString: x",
  "Origin: http://a",
  "Host: b",
  "Host:",
  "Host: a/../b@c",
  "UPGRADE: h2c, WebSocket",
  "upgrade: websockets",
  "Connection: keep-alive,  UPGRADE\t",
  "Connection: close",
  "Sec-WebSocket-Version: 8",
  "Sec-WebSocket-Version: 13, 8",
  "Sec-WebSocket-Version: 013",
  "Sec-WebSocket-Key: x",
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=A",
  "Sec-WebSocket-Accept: x",
  `Sec-WebSocket-Accept: ${ACCEPT.toLowerCase()}`,
  "Sec-WebSocket-Extensions: permessage-deflate",
  "Sec-WebSocket-Extensions: ,\t,",
  "X: a\r\n b",
  "X: a\nY: b",
  "X: a\r\r\n",
  " X: folded",
  "X Y: z",
  ": empty name",
  "no colon",
  "X: \u0000",
  "X: \u00ff\u0080",
  "\u00ff: x",
] as const;

/** Characters as bytes, which those above all are. */
function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function drawHead(input: FuzzInput, isRequest: boolean): Uint8Array {
  if (input.byte() % 4 === 3) return input.rest();
  const lines = isRequest ? [REQUEST_LINES[0], ...REQUEST_FIELDS] : [RESPONSE_LINES[0], ...RESPONSE_FIELDS];
  const changes = input.byte() % 8;
  for (let index = 0; index < changes; index++) {
    const at = 1 + input.below(lines.length);
    switch (input.byte() % 6) {
      case 0:
        lines.splice(at, 0, input.pick(FIELDS));
        break;
      case 1:
        if (at < lines.length) lines[at] = input.pick(FIELDS);
        break;
      case 2:
        lines.splice(at, 1);
        break;
      case 3:
        lines[0] = input.pick(isRequest ? REQUEST_LINES : RESPONSE_LINES);
        break;
      case 4:
        if (at < lines.length) lines.push(lines[at]);
        break;
      default:
        for (let count = input.byte() % 80; count > 0; count--) lines.push(`x${count}: ${count}`);
    }
  }
  let bytes = latin1(`${lines.join("\r\n")}\r\n\r\n`);
  for (let count = input.byte() % 4; count > 0; count--) {
    const at = input.word() % bytes.length;
    const rest = input.byte() % 3 === 1 ? at + 1 : at;
    bytes = concat(bytes.subarray(0, at), input.take(1 + (input.byte() % 3)), bytes.subarray(rest));
  }
  return concat(bytes, input.take(5));
}

/** What a parser made of a head, comparable. */
interface Outcome {
  readonly head?: StrictHead;
  readonly code?: string;
  readonly status?: number | undefined;
}

interface Limits {
  readonly maxBytes: number;
  readonly maxHeaders: number;
}

/** Feeds a parser. Returns it as well, once it has a whole head. */
function parse(
  kind: "request" | "response",
  portions: readonly Uint8Array[],
  limits: Limits,
): { outcome: Outcome; parser: HeadParser | undefined } {
  const parser = new HeadParser(kind, limits);
  let before = 0;
  try {
    for (const portion of portions) {
      const arena = new Uint8Array(portion.length + 2);
      arena.set(portion, 1);
      const next = parser.feed(arena, 1, 1 + portion.length);
      arena.fill(0);
      if (next >= 0) {
        holds(next >= 1 && next <= 1 + portion.length, "a head ends inside the fed range");
        const { method, target, status, reason, versionMinor } = parser;
        const fields = [...parser.headers];
        const sizeBytes = before + next - 1;
        return {
          outcome: { head: { sizeBytes, method, target, versionMinor, status, reason, fields } },
          parser,
        };
      }
      before += portion.length;
    }
    return { outcome: {}, parser: undefined };
  } catch (error) {
    if (!(error instanceof RingwireError)) throw error;
    holds(parser.failure === error, "a parser remembers why it failed");
    return { outcome: { code: error.code, status: error.status }, parser: undefined };
  }
}

function checkRequestHead(parser: HeadParser, strict: StrictHead): void {
  const upgrade = readUpgrade(parser);
  agree("a request upgrades when no rule is broken", upgrade?.kind === "upgrade", mayUpgrade(strict));
  if (upgrade?.kind === "upgrade") {
    holds(atob(upgrade.key).length === 16, "a key is 16 bytes");
    holds(new Set(upgrade.protocols).size === upgrade.protocols.length, "no subprotocol is offered twice");
  } else if (upgrade !== undefined) {
    holds(upgrade.status >= 400 && upgrade.status < 600, "a refusal has a status that says so");
  }
}

function checkResponseHead(parser: HeadParser, strict: StrictHead): void {
  let isOpen = true;
  try {
    const { protocol } = checkUpgradeResponse(parser, {
      accept: ACCEPT,
      protocols: OFFERED,
      deflate: undefined,
    });
    holds(protocol === "" || OFFERED.includes(protocol), "the subprotocol is one of those offered");
  } catch (error) {
    if (!(error instanceof RingwireError)) throw error;
    const isRefused = error.code === "ERR_HANDSHAKE_REFUSED";
    holds(isRefused || error.code === "ERR_HANDSHAKE_FAILED", "a handshake is refused or fails");
    holds(isRefused === (strict.status !== 101), "refused is what does not switch");
    isOpen = false;
  }
  agree("a response opens when no rule is broken", isOpen, isUpgraded(strict, ACCEPT, OFFERED));
}

function run(bytes: Uint8Array): void {
  const input = new FuzzInput(bytes);
  const isRequest = input.byte() % 2 === 0;
  const kind = isRequest ? "request" : "response";
  const limits = {
    maxBytes: input.pick([8_192, 1, 2, 40, 150, 300]),
    maxHeaders: input.pick([64, 0, 1, 3, 5, 6]),
  };
  const random = input.random();
  const wire = drawHead(input, isRequest);
  const strict = readStrictly(kind, String.fromCharCode(...wire), limits);
  const { outcome, parser } = parse(kind, [wire], limits);
  for (const portions of [randomSplit(wire, random, 4), randomSplit(wire, random, 40), byteByByte(wire)]) {
    agree(`a head in ${portions.length} portions`, parse(kind, portions, limits).outcome, outcome);
  }
  agree("a head is accepted when the grammar does", outcome.head, strict);
  if (parser === undefined || strict === undefined) return;
  if (isRequest) checkRequestHead(parser, strict);
  else checkResponseHead(parser, strict);
}

function raw(kind: "request" | "response", text: string): Uint8Array {
  return concat(Uint8Array.of(kind === "request" ? 0 : 1, 0, 0, 0, 7, 3), fromText(text));
}

/** See the top of this file. */
export const headTarget: FuzzTarget = {
  name: "head",
  maxBytes: 400,
  covers: ["/src/"],
  seeds: [
    Uint8Array.of(0),
    Uint8Array.of(1),
    raw("request", `${[REQUEST_LINES[0], ...REQUEST_FIELDS].join("\r\n")}\r\n\r\n\u0081`),
    raw("response", `${[RESPONSE_LINES[0], ...RESPONSE_FIELDS].join("\r\n")}\r\n\r\n`),
    raw("request", "\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
    raw("request", "GET / HTTP/1.1\nHost: a\n\n"),
    raw("request", "\u0016\u0003\u0001"),
    raw("response", "HTTP/1.1 101\r\n\r\n"),
    ...FIELDS.map((_, index) => Uint8Array.of(0, 0, 0, 0, 1, 0, 1, 5, 0, index)),
    ...FIELDS.map((_, index) => Uint8Array.of(1, 0, 0, 0, 1, 0, 1, 3, 0, index)),
    ...FIELDS.map((_, index) => Uint8Array.of(0, 0, 0, 0, 1, 0, 1, 0, 1, index)),
  ],
  run,
};
