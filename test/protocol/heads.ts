/** Parses heads from text whose characters are bytes, in any portions. */

import { RingwireError } from "../../src/errors.ts";
import { type HeadLimits, HeadParser } from "../../src/protocol/http_head.ts";
import { writeLatin1 } from "../../src/protocol/text.ts";

export const LIMITS: HeadLimits = { maxBytes: 8192, maxHeaders: 64 };

export function latin1Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  writeLatin1(text, bytes, 0);
  return bytes;
}

/** A parsed head; throws what the parser throws, and when the head is not complete. */
export function parseHead(
  kind: "request" | "response",
  text: string,
  limits: HeadLimits = LIMITS,
): HeadParser {
  const parser = new HeadParser(kind, limits);
  const bytes = latin1Bytes(text);
  if (parser.feed(bytes, 0, bytes.length) < 0) throw new Error("the head is not complete");
  return parser;
}

/** What the parser makes of the portions, comparable, with the number of bytes of the head. */
export function outcome(
  kind: "request" | "response",
  portions: readonly Uint8Array[],
  limits: HeadLimits = LIMITS,
): object {
  const parser = new HeadParser(kind, limits);
  let before = 0;
  try {
    for (const portion of portions) {
      // At an odd place of a larger buffer that is spoilt afterwards: nothing may refer to it.
      const arena = new Uint8Array(portion.length + 2);
      arena.set(portion, 1);
      const next = parser.feed(arena, 1, 1 + portion.length);
      arena.fill(0);
      if (next < 0) {
        before += portion.length;
        continue;
      }
      const { method, target, versionMinor, status, reason } = parser;
      const headers = [...parser.headers];
      return { headBytes: before + next - 1, method, target, versionMinor, status, reason, headers };
    }
    return { incomplete: true };
  } catch (error) {
    if (!(error instanceof RingwireError)) throw error;
    return { code: error.code, status: error.status };
  }
}
