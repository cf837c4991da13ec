/**
 * Autobahn's verdicts: on what was received, and on how the connection ended. One difference, to the strict side: an
 * implementation that had to be dropped where it should have failed the connection has failed the case.
 */

import type { Script } from "./script.ts";
import { type Outcome, sameEvents } from "./scripted_peer.ts";

/** Autobahn's words. */
export type Behaviour = "OK" | "NON-STRICT" | "INFORMATIONAL" | "UNIMPLEMENTED" | "FAILED";
export type CloseBehaviour =
  | "OK"
  | "INFORMATIONAL"
  | "FAILED"
  | "UNCLEAN"
  | "WRONG CODE"
  | "FAILED BY CLIENT";

/** See the top of this file. */
export interface Verdict {
  readonly behaviour: Behaviour;
  readonly behaviourClose: CloseBehaviour;
  /** Why, where it is not plain OK. */
  readonly remark: string;
}

export function judge(script: Script, outcome: Outcome): Verdict {
  const [behaviourClose, closeRemark] = judgeClose(script, outcome);
  if (script.isInformational) {
    const what = sameEvents(outcome.received, script.expected) ? "as expected" : summary(outcome);
    return {
      behaviour: "INFORMATIONAL",
      behaviourClose: "INFORMATIONAL",
      remark: `${what}; close ${behaviourClose}`,
    };
  }
  const [behaviour, remark] = judgeEvents(script, outcome);
  if (behaviourClose === "WRONG CODE" && script.close.isCodeBinding) {
    return { behaviour: "FAILED", behaviourClose, remark: closeRemark };
  }
  return {
    behaviour,
    behaviourClose,
    remark: [remark, closeRemark].filter((text) => text !== "").join("; "),
  };
}

function judgeEvents(script: Script, outcome: Outcome): [Behaviour, string] {
  if (outcome.fault !== undefined) return ["FAILED", outcome.fault];
  if (outcome.isUnimplemented) return ["UNIMPLEMENTED", "permessage-deflate was declined"];
  if (outcome.wasKilled && !script.close.byPeer) return ["FAILED", "the connection stayed open"];
  if (sameEvents(outcome.received, script.expected)) return ["OK", ""];
  const { tolerated } = script;
  if (tolerated !== undefined && sameEvents(outcome.received, tolerated))
    return ["NON-STRICT", summary(outcome)];
  return ["FAILED", `${summary(outcome)}, expected ${describe(script.expected)}`];
}

function judgeClose({ close }: Script, outcome: Outcome): [CloseBehaviour, string] {
  const { closeCode } = outcome;
  if (close.byPeer !== outcome.closedByPeer) {
    return ["FAILED", outcome.wasKilled ? "nobody began to close" : "the wrong end began to close"];
  }
  if (close.mustBeClean && !outcome.wasClean) return ["UNCLEAN", "the closing handshake was not finished"];
  if (closeCode !== undefined && !close.codes.includes(closeCode)) {
    return ["WRONG CODE", `closed with ${closeCode}, not ${close.codes.join(" or ")}`];
  }
  if (outcome.wasServerLate) return ["FAILED BY CLIENT", "the server left closing TCP to the client"];
  return ["OK", ""];
}

function summary(outcome: Outcome): string {
  return `received ${describe(outcome.received)}`;
}

function describe(events: Outcome["received"]): string {
  if (events.length === 0) return "nothing";
  const words = events.slice(0, 5).map((event) => {
    if (event.kind === "waited") return `wait ${event.tag} passed`;
    if (event.kind === "echoed") return `${event.count} echoes`;
    const what = event.kind === "message" ? (event.isText ? "text" : "binary") : event.kind;
    return `${what} of ${event.payload.length} B`;
  });
  return events.length > 5 ? `${words.join(", ")} … (${events.length})` : words.join(", ");
}
