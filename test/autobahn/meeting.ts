/** The scripted peer's opening handshake, as a client or as a server, with or without permessage-deflate. */

import { RawPeer } from "../conformance/raw_peer.ts";
import { type Agreement, acceptanceOf, agreementOf, offersOf, type Wish } from "./deflate_parameters.ts";
import { PeerDeflate } from "./peer_deflate.ts";
import { ScriptedPeer } from "./scripted_peer.ts";

/** How one connection begins. */
export interface Opening {
  /** What to ask permessage-deflate for; undefined to do without. */
  readonly wishes: readonly Wish[] | undefined;
  /** See ScriptedPeer. */
  readonly patienceMs?: number;
}

/** Connects to an echo that is a server. @throws Error when it answers wrongly. */
export async function meetServer(port: number, opening: Opening): Promise<ScriptedPeer> {
  const { wishes, patienceMs } = opening;
  const raw = await RawPeer.connect(port);
  const answer = await raw.upgrade(
    wishes === undefined ? [] : [`Sec-WebSocket-Extensions: ${offersOf(wishes)}`],
  );
  try {
    if (!answer.startsWith("HTTP/1.1 101 ")) throw new Error(`The server answered ${answer}`);
    const agreement = agreementOf(extensionsIn(answer), wishes ?? []);
    return new ScriptedPeer(raw, true, patienceMs, deflateOf(agreement, true));
  } catch (error) {
    raw.reset();
    throw error;
  }
}

/** Lets an echo in that is a client. @throws Error when it offers nonsense. */
export async function meetClient(raw: RawPeer, { wishes, patienceMs }: Opening): Promise<ScriptedPeer> {
  let agreement: Agreement | undefined;
  let refusal: unknown;
  await raw.acceptUpgrade(undefined, (request) => {
    try {
      const acceptance = acceptanceOf(extensionsIn(request), wishes ?? []);
      agreement = acceptance?.agreement;
      return acceptance === undefined ? [] : [`Sec-WebSocket-Extensions: ${acceptance.answer}`];
    } catch (error) {
      refusal = error;
      return [];
    }
  });
  if (refusal !== undefined) {
    raw.reset();
    throw refusal;
  }
  return new ScriptedPeer(raw, false, patienceMs, deflateOf(agreement, false));
}

function deflateOf(agreement: Agreement | undefined, isClient: boolean): PeerDeflate | undefined {
  return agreement === undefined ? undefined : new PeerDeflate(agreement, isClient);
}

/** The extensions in a head of HTTP; several lines are one list (RFC 6455 §9.1). */
export function extensionsIn(head: string): string | undefined {
  const lines = [...head.matchAll(/^sec-websocket-extensions:(.*)$/gim)].map(([, value]) => value.trim());
  return lines.length === 0 ? undefined : lines.join(",");
}
