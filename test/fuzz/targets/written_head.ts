/**
 * The heads that we write, from URLs, names and values of any kind: refused with a TypeError, or read back as exactly what
 * was asked for. No character of ours can add a line, and no password gets into an error.
 */

import { HeadParser } from "../../../src/protocol/http_head.ts";
import { writeResponseHead } from "../../../src/protocol/http_response.ts";
import { writeUpgradeResponse } from "../../../src/protocol/upgrade.ts";
import { writeUpgradeRequest } from "../../../src/protocol/upgrade_request.ts";
import { parseWebSocketUrl, type WebSocketUrl } from "../../../src/protocol/url.ts";
import { FuzzInput } from "../fuzz_input.ts";
import { readStrictly, type StrictHead } from "../head_oracle.ts";
import { agree, type FuzzTarget, holds } from "../target.ts";

const LIMITS = { maxBytes: 65_536, maxHeaders: 64 };
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
/** Stands in every password, so that it can be looked for. */
const SECRET = "s3cr3t";
const SCHEMES = [
  "ws:",
  "wss:",
  "http:",
  "https:",
  "WS:",
  "ws+unix:",
  "WS+UNIX:",
  "wss+unix:",
  "ftp:",
  "javascript:",
  "",
  "ws",
  "w\ts:",
];
const SLASHES = ["//", "/", "", "\\\\", "///", "//\n"];
const HOSTS = [
  "a",
  "127.0.0.1",
  "[::1]",
  "[::1",
  "xn--a",
  "ä.example",
  "a b",
  "0x7f.1",
  "",
  ".",
  "a\r\nX: y",
  "%0d%0a",
  "a:b",
];
const PORTS = ["", ":80", ":443", ":0", ":65535", ":65536", ":", ":x", ":+1", ":08"];
const USERS = [
  "",
  `u:${SECRET}@`,
  `:${SECRET}@`,
  "u@",
  `u%3A:${SECRET}%zz@`,
  `u:${SECRET}@@`,
  `ü:${SECRET}é@`,
];
const PATHS = [
  "",
  "/",
  "/a?b",
  "/a/../b",
  "?q",
  "/é",
  "/%zz",
  "/a b",
  "/\r\nX: y",
  "/a#b",
  "/\u0000",
  "/\u{1f600}",
  "/:x",
  ":/x",
];
const NAMES = [
  "X-A",
  "x",
  "",
  "X A",
  "X:",
  "__proto__",
  "constructor",
  "Host",
  "hoST",
  "Upgrade",
  "Connection",
  "Sec-WebSocket-Key",
  "SEC-WEBSOCKET-ACCEPT",
  "Sec-WebSocket-Version",
  "sec-websocket-protocol",
  "Sec-WebSocket-Extensions",
  "content-LENGTH",
  "Transfer-Encoding",
  "X\r\nY",
  "Ä",
  "\u0130",
];
const VALUES = [
  "v",
  "",
  " v ",
  "a\r\nX: y",
  "a\rb",
  "a\nb",
  "\u0000",
  "\u00ff",
  "\u0100",
  "\ud800",
  "a\tb",
  "\u007f",
  "\u2028",
];
/** Fields that would announce a body. */
const FRAMING = ["content-length", "transfer-encoding"];
const WORDS = ["chat", "v2", "", "a b", "a,b", "chät", "a\r\nb", "__proto__", "CHAT"];

/** One of the list, or any characters. */
function draw(input: FuzzInput, list: readonly string[]): string {
  if (!input.chance(70)) return input.pick(list);
  const text = String.fromCharCode(...input.take(input.byte() % 12));
  return input.chance(40) ? text + String.fromCharCode(input.word()) : text;
}

/** What is returned; undefined when a TypeError or RangeError says that the arguments are wrong. */
function orRefused<T>(work: () => T, secretAllowed: boolean): T | undefined {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    holds(
      secretAllowed || !error.message.includes(SECRET),
      `no password gets into an error\n  ${error.message}`,
    );
    return undefined;
  }
}

/** Reads what was written with the parser and with the oracle, which must agree on all of it. */
function readBack(kind: "request" | "response", text: string): StrictHead {
  holds(
    [...text].every((character) => character.charCodeAt(0) <= 0xff),
    "a head's characters are bytes",
  );
  const strict = readStrictly(kind, text, LIMITS);
  holds(strict !== undefined, `what is written keeps to the grammar\n  ${JSON.stringify(text)}`);
  holds(strict.sizeBytes === text.length, "one head is written, and nothing behind it");
  const parser = new HeadParser(kind, LIMITS);
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  holds(parser.feed(bytes, 0, bytes.length) === bytes.length, "our parser reads the same head");
  agree("our parser reads the same fields", [...parser.headers], strict.fields);
  return strict;
}

function drawFields(input: FuzzInput): [string, string][] {
  return Array.from({ length: input.byte() % 4 }, () => [draw(input, NAMES), draw(input, VALUES)]);
}

/** Values lose the blanks around them on the way (RFC 9110 §5.5). */
function asRead(fields: readonly (readonly [string, string])[]): [string, string][] {
  return fields.map(([name, value]) => [name, value.replace(/^[ \t]+|[ \t]+$/g, "")]);
}

/** Whether the URL standard finds our password in a text, whichever way it is written. */
function hasPassword(text: string): boolean {
  try {
    return new URL(text).password.includes(SECRET);
  } catch {
    return false;
  }
}

/** A handshake's own fields cannot be added to: each stands there once, if we set it, and never otherwise. */
function checkSingle(head: StrictHead, names: readonly string[]): void {
  const given = head.fields.map(([name]) => name.toLowerCase());
  for (const name of new Set(names.map((each) => each.toLowerCase()))) {
    const count = given.filter((each) => each === name).length;
    holds(count <= (FRAMING.includes(name) ? 0 : 1), `a field of the handshake stands there once\n  ${name}`);
  }
}

function checkUrl(text: string, hasSecret: boolean): WebSocketUrl | undefined {
  const url = orRefused(() => parseWebSocketUrl(text), !hasSecret && !hasPassword(text));
  if (url === undefined) return undefined;
  holds(!text.includes("#"), "a URL with a fragment is refused");
  holds(/^\/[\x21-\x7e]*$/.test(url.target), `a target is an escaped path\n  ${url.target}`);
  holds(/^[\x21-\x7e]+$/.test(url.hostHeader), `a Host field is visible ASCII\n  ${url.hostHeader}`);
  holds(!/[/\\@?#]/.test(url.hostHeader), `a Host field is a host and port\n  ${url.hostHeader}`);
  const isUnix = /^wss?\+unix:/i.test(text);
  // A socket's path and target have no credentials in them, whatever they look like.
  const isCredential = !isUnix && (hasSecret || hasPassword(text));
  const asked = `${url.hostHeader} ${url.target}`;
  holds(!isCredential || !asked.includes(SECRET), `credentials stay out of host and path\n  ${asked}`);
  holds(isUnix ? url.port === 0 : url.port >= 1 && url.port <= 65_535, `a port is one\n  ${url.port}`);
  // The abstract name of a Unix socket begins with NUL.
  holds(url.host !== "" && !url.host.includes("\u0000", isUnix ? 1 : 0), "a host is not empty");
  holds(/^Basic [A-Za-z0-9+/]+=*$/.test(url.authorization ?? "Basic x"), "credentials are base64");
  return url;
}

function checkRequest(input: FuzzInput): void {
  const user = draw(input, USERS);
  // In a text that is no URL it is a password only where one belongs.
  const isPlain = input.chance(128) && USERS.includes(user) && user.includes(SECRET);
  const scheme = isPlain ? input.pick(["ws:", "wss:", "http:", "https:", "ftp:"]) : draw(input, SCHEMES);
  const slashes = isPlain ? "//" : draw(input, SLASHES);
  const host = isPlain ? input.pick(["a", "[::1]", "127.0.0.1", "[::1", "a b", ""]) : draw(input, HOSTS);
  const url = checkUrl(scheme + slashes + user + host + draw(input, PORTS) + draw(input, PATHS), isPlain);
  const headers = drawFields(input);
  const protocols = Array.from({ length: input.byte() % 3 }, () => draw(input, WORDS));
  const target = url === undefined || input.chance(60) ? draw(input, PATHS) : url.target;
  const hostHeader = url === undefined || input.chance(60) ? draw(input, HOSTS) : url.hostHeader;
  const request = { target, host: hostHeader, key: KEY, protocols, headers, deflate: undefined };
  const text = orRefused(() => writeUpgradeRequest(request), true);
  if (text === undefined) {
    const isRight = url !== undefined && target === url.target && hostHeader === url.hostHeader;
    holds(!isRight || headers.length + protocols.length > 0, "a parsed URL alone can always be asked for");
    return;
  }
  const strict = readBack("request", text);
  agree("method and target are those asked for", [strict.method, strict.target], ["GET", target]);
  const ours: [string, string][] = [
    ["Host", hostHeader],
    ["Upgrade", "websocket"],
    ["Connection", "Upgrade"],
    ["Sec-WebSocket-Key", KEY],
    ["Sec-WebSocket-Version", "13"],
  ];
  if (protocols.length > 0) ours.push(["Sec-WebSocket-Protocol", protocols.join(", ")]);
  agree("fields are those asked for", strict.fields, asRead([...ours, ...headers]));
  checkSingle(strict, [
    ...ours.map(([name]) => name),
    ...FRAMING,
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Extensions",
  ]);
}

function checkUpgradeAnswer(input: FuzzInput): void {
  const protocol = draw(input, WORDS);
  const headers = drawFields(input);
  const text = orRefused(
    () => writeUpgradeResponse({ accept: "x", protocol, extensions: "", headers }),
    true,
  );
  if (text === undefined) return;
  const strict = readBack("response", text);
  const ours: [string, string][] = [
    ["Upgrade", "websocket"],
    ["Connection", "Upgrade"],
    ["Sec-WebSocket-Accept", "x"],
  ];
  if (protocol !== "") ours.push(["Sec-WebSocket-Protocol", protocol]);
  agree("fields are those asked for", [strict.status, strict.fields], [101, asRead([...ours, ...headers])]);
  checkSingle(strict, [
    ...ours.map(([name]) => name),
    ...FRAMING,
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Extensions",
  ]);
}

function checkAnswer(input: FuzzInput): void {
  const status = input.pick([200, 99, 100, 404, 999, 1_000, 200.5, Number.NaN, -1]);
  const reason = draw(input, VALUES);
  const headers = drawFields(input);
  const text = orRefused(() => writeResponseHead(status, reason, headers), true);
  if (text === undefined) return;
  const strict = readBack("response", text);
  agree("the status is the one asked for", strict.status, status);
  if (reason !== "") agree("the reason is the one asked for", strict.reason, reason);
  agree("fields are those asked for", strict.fields, asRead(headers));
}

function run(bytes: Uint8Array): void {
  const input = new FuzzInput(bytes);
  const kind = input.byte() % 5;
  if (kind < 3) checkRequest(input);
  else if (kind === 3) checkUpgradeAnswer(input);
  else checkAnswer(input);
}

/** See the top of this file. */
export const writtenHeadTarget: FuzzTarget = {
  name: "written_head",
  maxBytes: 100,
  covers: ["/src/"],
  seeds: [
    Uint8Array.of(0),
    Uint8Array.of(3),
    Uint8Array.of(4),
    ...USERS.map((_, index) => Uint8Array.of(0, 0, index)),
    ...SCHEMES.map((_, index) => Uint8Array.of(0, 0, 0, 0, index)),
    ...PATHS.map((_, index) => Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, index)),
    ...NAMES.map((_, index) => Uint8Array.of(4, 0, 0, 0, 1, 0, index)),
    ...VALUES.map((_, index) => Uint8Array.of(4, 0, 0, 0, 1, 0, 0, 0, index)),
  ],
  run,
};
