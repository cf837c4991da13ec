/** What every HTTP/1.1 request must fulfil before anything else looks at it (RFC 9112 §3.2, §6). */

import type { HeaderList } from "./header_list.ts";
import type { Refusal } from "./http_response.ts";

/** A parsed request head, as `HeadParser` gives it. */
export interface RequestHead {
  readonly method: string;
  readonly target: string;
  readonly versionMinor: number;
  readonly headers: HeaderList;
}

/** Size of a body as the head announces it. */
export const BODY_CHUNKED = -1;

/** The largest Content-Length that a number holds exactly. */
const MAX_LENGTH_DIGITS = 15;

/** A refusal of a request that breaks a rule. */
export function badRequest(reason: string): Refusal {
  return { status: 400, reason, headers: [] };
}

/**
 * Checks the Host field, the target and the body's length.
 *
 * @returns Why the request is refused, or undefined.
 */
export function checkRequest(head: RequestHead): Refusal | undefined {
  const hosts = head.headers.countOf("host");
  if (hosts > 1 || (hosts === 0 && head.versionMinor > 0)) {
    return badRequest(`The request has ${hosts} Host headers instead of one (RFC 9112 §3.2)`);
  }
  if (!isAuthority(head.headers.get("host") ?? "")) {
    return badRequest("The Host header is not a host and port (RFC 9110 §7.2)");
  }
  const length = bodyBytes(head);
  return typeof length === "number" ? undefined : length;
}

/**
 * The announced size of a request's body: bytes, or BODY_CHUNKED; 0 when nothing is announced. Whatever could be
 * read in two ways is refused, because a proxy before us may read it in the other one (RFC 9112 §6.3).
 */
export function bodyBytes({ headers, versionMinor }: RequestHead): number | Refusal {
  const lengths = headers.countOf("content-length");
  if (headers.has("transfer-encoding")) {
    if (lengths > 0) {
      return badRequest("The request has Content-Length and Transfer-Encoding (RFC 9112 §6.3)");
    }
    if (versionMinor === 0) return badRequest("HTTP/1.0 has no Transfer-Encoding (RFC 9112 §6.1)");
    const encodings = headers.tokens("transfer-encoding");
    if (encodings.at(-1) !== "chunked") {
      return badRequest("The Transfer-Encoding does not end with chunked (RFC 9112 §6.3)");
    }
    if (encodings.length === 1) return BODY_CHUNKED;
    return { status: 501, reason: "The request has a Transfer-Encoding other than chunked", headers: [] };
  }
  if (lengths === 0) return 0;
  if (lengths > 1) return badRequest("The request has several Content-Length headers (RFC 9112 §6.3)");
  const digits = headers.get("content-length") ?? "";
  let size = 0;
  for (let index = 0; index < digits.length; index++) {
    const digit = digits.charCodeAt(index) - 0x30;
    if (digit < 0 || digit > 9) return badRequest("The Content-Length is not a number (RFC 9110 §8.6)");
    size = size * 10 + digit;
  }
  if (digits.length === 0) return badRequest("The Content-Length is empty (RFC 9110 §8.6)");
  if (digits.length > MAX_LENGTH_DIGITS) {
    return { status: 413, reason: "The Content-Length is too large", headers: [] };
  }
  return size;
}

/**
 * Whether a Host value has only characters of a host and port (RFC 3986 §3.2.2). Others, such as `/` or `@`, would
 * become part of a path or of credentials when a URL is made from it.
 */
function isAuthority(host: string): boolean {
  for (let index = 0; index < host.length; index++) {
    if (AUTHORITY[host.charCodeAt(index)] !== 1) return false;
  }
  return true;
}

const AUTHORITY: Uint8Array = new Uint8Array(128);
for (const letter of "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=%:[]") {
  AUTHORITY[letter.charCodeAt(0)] = 1;
}
