/** The client's half of the opening handshake (RFC 6455 §4.1). */

import { RingwireError } from "../errors.ts";
import { checkHeader, type HeaderList } from "./header_list.ts";
import { writeFields } from "./http_response.ts";
import { checkAnswer, type DeflateAgreement, type DeflateTerms, writeOffers } from "./permessage_deflate.ts";
import { checkProtocols } from "./subprotocol.ts";

/** What the request says. */
export interface UpgradeRequestFields {
  /** Path and query, such as `/feed?v=2`. */
  readonly target: string;
  /** The Host field: host, and port where it is not the scheme's own. */
  readonly host: string;
  /** Base64 of 16 random bytes, fresh for each attempt. */
  readonly key: string;
  /** Subprotocols to offer, in order of preference. */
  readonly protocols: readonly string[];
  /** What permessage-deflate is offered with; undefined: it is not. */
  readonly deflate: DeflateTerms | undefined;
  /** Further fields. */
  readonly headers: readonly (readonly [string, string])[];
}

/** A parsed response head, as `HeadParser` gives it. */
export interface ResponseHead {
  readonly status: number;
  readonly reason: string;
  readonly versionMinor: number;
  readonly headers: HeaderList;
}

/** What the response must agree with. */
export interface ExpectedUpgrade {
  /** Base64 of the SHA-1 of `acceptInput(key)`. */
  readonly accept: string;
  /** The subprotocols that were offered. */
  readonly protocols: readonly string[];
  /** What permessage-deflate was offered with; undefined: it was not. */
  readonly deflate: DeflateTerms | undefined;
}

/** What the response agrees to. */
export interface AgreedUpgrade {
  /** The subprotocol the server has chosen; "" for none. */
  readonly protocol: string;
  /** How messages are compressed; undefined: not at all. */
  readonly deflate: DeflateAgreement | undefined;
}

const NOTHING = new Uint8Array(0);
/** Of the body of a refusal, for the message of an error. */
const MAX_REASON_BYTES = 200;

/** Fields that are ours to set, lower-cased. */
const OWN_FIELDS: ReadonlySet<string> = new Set([
  "host",
  "upgrade",
  "connection",
  "content-length",
  "transfer-encoding",
  "sec-websocket-key",
  "sec-websocket-version",
  "sec-websocket-protocol",
  "sec-websocket-extensions",
]);

/**
 * Checks the fields that a caller wants to add.
 *
 * @throws TypeError when one would break the head, or is ours to set.
 */
export function checkRequestHeaders(headers: Iterable<readonly [string, string]>): void {
  for (const [name, value] of headers) {
    checkHeader(name, value);
    if (OWN_FIELDS.has(name.toLowerCase())) {
      throw new TypeError(`Cannot set header ${JSON.stringify(name)}: the handshake sets it itself`);
    }
  }
}

/**
 * Writes the request of an opening handshake. Its characters are bytes: see `writeLatin1`.
 *
 * @throws TypeError when target, host, a subprotocol or a field would break the head, or a field is ours to set.
 */
export function writeUpgradeRequest(request: UpgradeRequestFields): string {
  const { target, host, key, protocols, deflate, headers } = request;
  if (!target.startsWith("/") || !isVisibleAscii(target)) {
    throw new TypeError(
      `Cannot request ${JSON.stringify(target)}: it is not an escaped path beginning with "/"`,
    );
  }
  if (host === "" || !isVisibleAscii(host)) {
    throw new TypeError(`Cannot send host ${JSON.stringify(host)}: it is not visible ASCII`);
  }
  checkProtocols(protocols);
  const more: (readonly [string, string])[] = [];
  if (protocols.length > 0) more.push(["Sec-WebSocket-Protocol", protocols.join(", ")]);
  if (deflate !== undefined) more.push(["Sec-WebSocket-Extensions", writeOffers(deflate)]);
  checkRequestHeaders(headers);
  more.push(...headers);
  return (
    `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
    `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n${writeFields(more)}\r\n`
  );
}

/** Whether every character is one of U+0021 to U+007E, which cannot end a line or a part of it. */
function isVisibleAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit <= 0x20 || unit >= 0x7f) return false;
  }
  return true;
}

/**
 * Checks the answer to an opening handshake (RFC 6455 §4.1, client requirements 1 to 6).
 *
 * A server that chooses none of the offered subprotocols is within RFC 6455; the WHATWG API wants that refused,
 * which is up to the caller.
 *
 * @param body - What came of the body together with the head: a refusal may say why, in a line of plain text.
 * @throws RingwireError `ERR_HANDSHAKE_REFUSED` with its status when the server did not switch protocols;
 *   `ERR_HANDSHAKE_FAILED` naming the rule when it did so wrongly.
 */
export function checkUpgradeResponse(
  head: ResponseHead,
  expected: ExpectedUpgrade,
  body: Uint8Array = NOTHING,
): AgreedUpgrade {
  const { headers, status } = head;
  if (status !== 101) {
    const said = head.reason === "" ? `${status}` : `${status} ${head.reason}`;
    throw new RingwireError(
      "ERR_HANDSHAKE_REFUSED",
      `Cannot open the WebSocket: the server answered "${said}"${reasonIn(body, headers)}`,
      { status, ...retryAfter(headers.get("retry-after")) },
    );
  }
  if (head.versionMinor < 1) throw failed("the answer is not HTTP/1.1 (RFC 6455 §4.2.2)");
  if ((headers.get("upgrade") ?? "").toLowerCase() !== "websocket") {
    throw failed("Upgrade is not websocket (RFC 6455 §4.1, 2.)");
  }
  if (!headers.hasToken("connection", "upgrade")) {
    throw failed("Connection does not name Upgrade (RFC 6455 §4.1, 3.)");
  }
  // A repeated field joins to "x, x" and so fails as well.
  if (headers.get("sec-websocket-accept") !== expected.accept) {
    throw failed("Sec-WebSocket-Accept does not answer our key (RFC 6455 §4.1, 4.)");
  }
  const deflate = checkAnswer(headers.get("sec-websocket-extensions") ?? "", expected.deflate);
  const protocol = headers.get("sec-websocket-protocol");
  if (protocol !== undefined && !expected.protocols.includes(protocol)) {
    throw failed(`the server chose subprotocol "${protocol}", which was not offered (RFC 6455 §4.1, 6.)`);
  }
  return { protocol: protocol ?? "", deflate };
}

/** The first line of a refusal in plain text, for people: cut short and without anything that a terminal would obey. */
function reasonIn(body: Uint8Array, headers: HeaderList): string {
  const isPlain =
    /^text\/plain\b/i.test(headers.get("content-type") ?? "") && !headers.has("transfer-encoding");
  if (!isPlain || headers.has("content-encoding")) return "";
  const [line] = new TextDecoder()
    .decode(body.subarray(0, MAX_REASON_BYTES))
    .trim()
    .split(/[\r\n]/);
  const reason = line.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "");
  return reason === "" ? "" : `: "${reason}"`;
}

function failed(rule: string): RingwireError {
  return new RingwireError("ERR_HANDSHAKE_FAILED", `Cannot open the WebSocket: ${rule}`);
}

/** How long the server wants to be left alone (RFC 9110 §10.2.3). A date instead of seconds is left aside: clocks differ. */
function retryAfter(value: string | undefined): { readonly retryAfterMs?: number } {
  return value !== undefined && /^\d{1,6}$/.test(value) ? { retryAfterMs: Number(value) * 1_000 } : {};
}
