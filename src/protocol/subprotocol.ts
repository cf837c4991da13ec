/** Subprotocols: what a client offers, what a server speaks, and which of them a connection gets (RFC 6455 §1.9, §4.2.2). */

import { kindOf } from "../errors.ts";
import { splitList } from "./header_list.ts";
import { isToken } from "./token.ts";

/**
 * Checks the subprotocols that a caller wants to offer.
 *
 * @throws TypeError when they are no array, or one is no token or stands twice.
 */
export function checkProtocols(protocols: readonly string[]): void {
  if (!Array.isArray(protocols)) {
    throw new TypeError(`Cannot offer subprotocols that are ${kindOf(protocols)}: give an array of names`);
  }
  for (const [index, protocol] of protocols.entries()) {
    if (typeof protocol !== "string" || !isToken(protocol)) {
      throw new TypeError(`Cannot offer subprotocol ${JSON.stringify(protocol)}: it is not a token`);
    }
    if (protocols.indexOf(protocol) !== index) {
      throw new TypeError(`Cannot offer subprotocol ${JSON.stringify(protocol)} twice`);
    }
  }
}

/** Subprotocols of a Sec-WebSocket-Protocol field; undefined when one is no token or stands twice. */
export function readProtocols(text: string | undefined): string[] | undefined {
  if (text === undefined) return [];
  const protocols = splitList(text);
  return protocols.every(isToken) && new Set(protocols).size === protocols.length ? protocols : undefined;
}

/**
 * The subprotocol of a connection: the first that the client offers and the server speaks.
 *
 * @param offered - In the client's order of preference, which decides.
 * @param spoken - What the server speaks; `*` stands for any.
 * @returns Undefined when they have none in common.
 */
export function chooseProtocol(offered: readonly string[], spoken: readonly string[]): string | undefined {
  return offered.find((protocol) => spoken.includes(protocol) || spoken.includes("*"));
}
