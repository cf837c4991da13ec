import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { HandshakeKey } from "../../src/record/handshake_key.ts";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const THEN = "dGhlIHNhbXBsZSBub25jZQ==";
const NOW = "AQIDBAUGBwgJCgsMDQ4PEA==";
const sha1Base64 = (text: string): string => createHash("sha1").update(text, "latin1").digest("base64");
const bytes = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));
const text = (from: Uint8Array | undefined): string | undefined => from && String.fromCharCode(...from);
const request = (key: string): string => `GET / HTTP/1.1\r\nHost: x\r\nsec-websocket-key: ${key}\r\n\r\n`;
const answer = (accept: string): string => `HTTP/1.1 101 Yes\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;

function prepared(): HandshakeKey {
  const key = new HandshakeKey(sha1Base64);
  key.recorded(bytes(request(THEN)));
  const sent = bytes(`..${request(NOW)}`);
  key.sent(sent, 2, sent.length);
  return key;
}

test("the proof is made out for the key that is sent now, and what comes behind it stays", () => {
  const key = prepared();
  const got = text(key.received(bytes(`${answer("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")}\x81\x02hi\xff`)));
  expect(got).toBe(`${answer(sha1Base64(NOW + GUID))}\x81\x02hi\xff`);
  expect(key.isDone).toBe(true);
});

test("an answer in pieces is held until its head is whole", () => {
  const key = prepared();
  const whole = answer("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  for (const character of whole.slice(0, -1)) expect(key.received(bytes(character))).toBeUndefined();
  expect(text(key.received(bytes("\n!")))).toBe(`${answer(sha1Base64(NOW + GUID))}!`);
});

test("a wrong proof stays wrong, and other protocols stay as they are", () => {
  expect(text(prepared().received(bytes(answer("wrong"))))).toBe(answer("wrong"));
  const other = new HandshakeKey(sha1Base64);
  other.recorded(bytes("HELO\r\n"));
  expect(other.received(bytes("220 hi\r\n"))).toBeUndefined();
  expect(text(other.rest())).toBe("220 hi\r\n");
});
