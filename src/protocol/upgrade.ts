/** The server's half of the opening handshake (RFC 6455 §4.2). */

import { checkHeader } from "./header_list.ts";
import { badRequest, checkRequest, type RequestHead } from "./http_request.ts";
import { type Refusal, writeFields } from "./http_response.ts";
import { readProtocols } from "./subprotocol.ts";
import { isToken } from "./token.ts";

/** A request that may become a WebSocket. */
export interface UpgradeRequest {
  readonly kind: "upgrade";
  /** The client's Sec-WebSocket-Key. */
  readonly key: string;
  /** Subprotocols the client offers, in its order of preference. */
  readonly protocols: readonly string[];
  /** Its Sec-WebSocket-Extensions, joined; "" when it offers none. */
  readonly extensions: string;
}

/** A request that wants to become a WebSocket and breaks a rule: answer it and close. */
export interface UpgradeRefusal extends Refusal {
  readonly kind: "refusal";
}

/** Joined to the key before hashing (RFC 6455 §1.3). */
const ACCEPT_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** The one version there is (RFC 6455 §4.1). */
const VERSION = "13";

/** Fields that must not be repeated: a proxy before us may have looked at the other one. */
const SINGLE_FIELDS = ["Sec-WebSocket-Key", "Sec-WebSocket-Version", "Origin"] as const;

/** Fields of the answer that are ours to set, lower-cased. */
const OWN_FIELDS: ReadonlySet<string> = new Set([
  "upgrade",
  "connection",
  "content-length",
  "transfer-encoding",
  "sec-websocket-accept",
  "sec-websocket-protocol",
  "sec-websocket-extensions",
]);

/**
 * Reads a request as an opening handshake (RFC 6455 §4.2.1).
 *
 * @returns The handshake; a refusal, when it is meant as one and breaks a rule; undefined for an ordinary request.
 */
export function readUpgrade(head: RequestHead): UpgradeRequest | UpgradeRefusal | undefined {
  const { headers } = head;
  const wantsWebSocket = headers.hasToken("upgrade", "websocket");
  // A key without Upgrade is a handshake too: a proxy has taken the hop-by-hop fields away. Say so.
  if (!wantsWebSocket && !headers.has("sec-websocket-key")) return undefined;
  const refusal = brokenRule(head, wantsWebSocket);
  if (refusal !== undefined) return { kind: "refusal", ...refusal };
  const protocols = readProtocols(headers.get("sec-websocket-protocol"));
  if (protocols === undefined) {
    const reason = "Sec-WebSocket-Protocol is not a list of different tokens (RFC 6455 §4.1)";
    return { kind: "refusal", ...badRequest(reason) };
  }
  return {
    kind: "upgrade",
    key: headers.get("sec-websocket-key")!,
    protocols,
    extensions: headers.get("sec-websocket-extensions") ?? "",
  };
}

function brokenRule(head: RequestHead, wantsWebSocket: boolean): Refusal | undefined {
  const { headers } = head;
  const general = checkRequest(head);
  if (general !== undefined) return general;
  if (head.method !== "GET") {
    return { status: 405, reason: "The method is not GET (RFC 6455 §4.1)", headers: [["Allow", "GET"]] };
  }
  if (head.versionMinor < 1) return badRequest("The request is not HTTP/1.1 (RFC 6455 §4.1)");
  if (!wantsWebSocket) return badRequest("Upgrade does not name websocket (RFC 6455 §4.2.1)");
  if (!headers.hasToken("connection", "upgrade")) {
    return badRequest("Connection does not name Upgrade (RFC 6455 §4.2.1)");
  }
  for (const name of SINGLE_FIELDS) {
    if (headers.countOf(name) > 1) return badRequest(`${name} is repeated (RFC 6455 §11.3)`);
  }
  if (headers.get("sec-websocket-version") !== VERSION) {
    const reason = "The WebSocket version is not 13 (RFC 6455 §4.4)";
    return {
      status: 426,
      reason,
      headers: [
        ["Upgrade", "websocket"],
        ["Sec-WebSocket-Version", VERSION],
      ],
    };
  }
  if (!isKey(headers.get("sec-websocket-key") ?? "")) {
    return badRequest("Sec-WebSocket-Key is not base64 of 16 bytes (RFC 6455 §4.2.1)");
  }
  if (headers.has("transfer-encoding") || (headers.get("content-length") ?? "0") !== "0") {
    return badRequest("A WebSocket handshake has no body (RFC 6455 §4.1)");
  }
  return undefined;
}

/** Whether `key` is base64 of 16 bytes: 22 letters and "==". */
function isKey(key: string): boolean {
  if (key.length !== 24 || !key.endsWith("==")) return false;
  for (let index = 0; index < 22; index++) {
    if (!isBase64Unit(key.charCodeAt(index))) return false;
  }
  return true;
}

function isBase64Unit(unit: number): boolean {
  return (
    (unit >= 0x61 && unit <= 0x7a) ||
    (unit >= 0x41 && unit <= 0x5a) ||
    (unit >= 0x2f && unit <= 0x39) ||
    unit === 0x2b
  );
}

/** What the runtime's SHA-1 is to be taken of, for Sec-WebSocket-Accept (RFC 6455 §4.2.2). */
export function acceptInput(key: string): string {
  return key + ACCEPT_GUID;
}

/** What a 101 answer says. */
export interface UpgradeResponse {
  /** Base64 of the SHA-1 of `acceptInput(key)`. */
  readonly accept: string;
  /** The chosen subprotocol; "" for none. */
  readonly protocol: string;
  /** The extensions agreed on; "" for none. */
  readonly extensions: string;
  /** Further fields. */
  readonly headers: Iterable<readonly [string, string]>;
}

/**
 * Writes the answer that makes the connection a WebSocket. Its characters are bytes: see `writeLatin1`.
 *
 * @throws TypeError when the subprotocol is no token, or a field would break the head or is ours to set.
 */
export function writeUpgradeResponse(response: UpgradeResponse): string {
  const { accept, protocol, extensions, headers } = response;
  const more: (readonly [string, string])[] = [];
  if (protocol !== "") {
    if (!isToken(protocol)) {
      throw new TypeError(`Cannot choose subprotocol ${JSON.stringify(protocol)}: it is not a token`);
    }
    more.push(["Sec-WebSocket-Protocol", protocol]);
  }
  if (extensions !== "") more.push(["Sec-WebSocket-Extensions", extensions]);
  for (const field of headers) {
    checkHeader(field[0], field[1]);
    if (OWN_FIELDS.has(field[0].toLowerCase())) {
      throw new TypeError(`Cannot set header ${JSON.stringify(field[0])}: the handshake sets it itself`);
    }
    more.push(field);
  }
  return (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    `Sec-WebSocket-Accept: ${accept}\r\n${writeFields(more)}\r\n`
  );
}
