/** The judge: each kind of wrong answer gets Autobahn's word for it. */

import { expect, test } from "vitest";
import { judge } from "./judge.ts";
import { CLEAN, echoOf, FAILS_1002, frame, pongOf, type Script, TEXT } from "./script.ts";
import type { Outcome } from "./scripted_peer.ts";

const ECHO: Script = { steps: [frame(TEXT, "x")], expected: [echoOf("x")], close: CLEAN };
const REFUSED: Script = {
  steps: [frame(TEXT, "x"), frame(3)],
  expected: [echoOf("x")],
  tolerated: [],
  close: FAILS_1002,
};

const CLOSED: Outcome = {
  received: [echoOf("x")],
  fault: undefined,
  closedByPeer: true,
  wasKilled: false,
  wasServerLate: false,
  wasClean: true,
  isUnimplemented: false,
  ratio: undefined,
  closeCode: 1000,
};
const FAILED: Outcome = { ...CLOSED, closedByPeer: false, closeCode: 1002 };

/** What it is, script, outcome, behaviour, close behaviour. */
const VERDICTS: readonly (readonly [string, Script, Outcome, string, string])[] = [
  ["an echo and a clean close", ECHO, CLOSED, "OK", "OK"],
  ["another payload", ECHO, { ...CLOSED, received: [echoOf("y")] }, "FAILED", "OK"],
  ["binary for text", ECHO, { ...CLOSED, received: [echoOf("x", false)] }, "FAILED", "OK"],
  ["one message too many", ECHO, { ...CLOSED, received: [echoOf("x"), echoOf("x")] }, "FAILED", "OK"],
  ["an unexpected pong", ECHO, { ...CLOSED, received: [echoOf("x"), pongOf("")] }, "FAILED", "OK"],
  ["no answer", ECHO, { ...CLOSED, received: [] }, "FAILED", "OK"],
  ["a broken frame", ECHO, { ...CLOSED, fault: "reserved bits are set" }, "FAILED", "OK"],
  [
    "declining what the case is about",
    ECHO,
    { ...CLOSED, received: [], isUnimplemented: true },
    "UNIMPLEMENTED",
    "OK",
  ],
  [
    "other echoes than asked for",
    { ...ECHO, expected: [{ kind: "echoed", count: 9 }] },
    { ...CLOSED, received: [{ kind: "echoed", count: 8 }] },
    "FAILED",
    "OK",
  ],
  ["closing without being asked", ECHO, { ...CLOSED, closedByPeer: false }, "OK", "FAILED"],
  [
    "no answer to Close",
    ECHO,
    { ...CLOSED, wasClean: false, wasKilled: true, closeCode: undefined },
    "OK",
    "UNCLEAN",
  ],
  ["another code in the answer to Close", ECHO, { ...CLOSED, closeCode: 1011 }, "OK", "WRONG CODE"],
  ["no code in the answer to Close", ECHO, { ...CLOSED, closeCode: undefined }, "OK", "OK"],
  ["a server that leaves TCP open", ECHO, { ...CLOSED, wasServerLate: true }, "OK", "FAILED BY CLIENT"],
  [
    "another code where it is what the case is about",
    { ...ECHO, close: { ...CLEAN, isCodeBinding: true } },
    { ...CLOSED, closeCode: 1011 },
    "FAILED",
    "WRONG CODE",
  ],
  ["failing the connection behind the echo", REFUSED, FAILED, "OK", "OK"],
  ["failing it without the echo", REFUSED, { ...FAILED, received: [] }, "NON-STRICT", "OK"],
  [
    "dropping TCP instead of closing",
    REFUSED,
    { ...FAILED, wasClean: false, closeCode: undefined },
    "OK",
    "OK",
  ],
  ["failing it with another code", REFUSED, { ...FAILED, closeCode: 1007 }, "OK", "WRONG CODE"],
  [
    "not failing it at all",
    REFUSED,
    { ...FAILED, wasKilled: true, wasClean: false, closeCode: undefined },
    "FAILED",
    "OK",
  ],
  [
    "anything where the standard says nothing",
    { ...ECHO, isInformational: true },
    { ...CLOSED, received: [], closeCode: 1011 },
    "INFORMATIONAL",
    "INFORMATIONAL",
  ],
];

for (const [what, script, outcome, behaviour, behaviourClose] of VERDICTS) {
  test(`${what} is ${behaviour}, close ${behaviourClose}`, () => {
    expect(judge(script, outcome)).toMatchObject({ behaviour, behaviourClose });
  });
}
