/** Groups 3, 4 and 5: reserved bits, reserved opcodes, and fragments in and out of order. */

import {
  BINARY,
  CLEAN,
  CLOSE,
  CONTINUATION,
  echoOf,
  FAILS_1002,
  type FrameToSend,
  fragmented,
  frame,
  PING,
  PONG,
  pongOf,
  type Script,
  type Step,
  TEXT,
} from "./script.ts";

const HELLO = "Hello, world!";
const PAIR = ["fragment1", "fragment2"] as const;
const BYTEWISE = { chopBytes: 1 } as const;
const ALONE = { isAlone: true } as const;

/** Frames of which the first is wrong. */
function refused(...steps: readonly Step[]): Script {
  return { steps, expected: [], close: FAILS_1002 };
}

/** A message that is answered, a frame that is wrong, and a ping that gets no pong. */
function refusedBehindEcho(wrong: Step, more: Partial<FrameToSend> = {}): Script {
  return {
    steps: [frame(TEXT, HELLO, more), wrong, frame(PING, "", more)],
    expected: [echoOf(HELLO)],
    tolerated: [],
    close: FAILS_1002,
  };
}

function reservedBits(): [string, Script][] {
  const text = (reserved: number, more: Partial<FrameToSend> = {}): Step =>
    frame(TEXT, HELLO, { reserved, ...more });
  return [
    ["3.1", refused(text(1))],
    ["3.2", refusedBehindEcho(text(2))],
    ["3.3", refusedBehindEcho(text(3, ALONE), ALONE)],
    ["3.4", refusedBehindEcho(text(4, BYTEWISE), BYTEWISE)],
    ["3.5", refused(frame(BINARY, new Uint8Array([0, 255, 254, 253, 252, 251, 0, 255]), { reserved: 5 }))],
    ["3.6", refused(frame(PING, HELLO, { reserved: 6 }))],
    ["3.7", refused(frame(CLOSE, "", { reserved: 7 }))],
  ];
}

/** 4.1.x has opcodes 3 to 7, 4.2.x 11 to 15; each second one carries bytes, and from the third on a message goes before. */
function reservedOpcodes(): [string, Script][] {
  const cases: [string, Script][] = [];
  for (const [group, first] of [
    ["4.1", 3],
    ["4.2", 11],
  ] as const) {
    for (let index = 0; index < 5; index++) {
      const hasPayload = index === 1 || index > 2;
      const wrong = frame(first + index, hasPayload ? "reserved opcode payload" : "");
      cases.push([`${group}.${index + 1}`, index < 2 ? refused(wrong) : refusedBehindEcho(wrong)]);
    }
  }
  return cases;
}

function echoedPair(more: Partial<FrameToSend> = {}): Script {
  return { steps: fragmented(TEXT, PAIR, more), expected: [echoOf(PAIR.join(""))], close: CLEAN };
}

function pingBetween(more: Partial<FrameToSend> = {}): Script {
  const [first, second] = fragmented(TEXT, PAIR, more);
  return {
    steps: [first, frame(PING, "ping payload", more), second],
    expected: [pongOf("ping payload"), echoOf(PAIR.join(""))],
    close: CLEAN,
  };
}

/** A continuation of nothing, and a message that must not be answered any more. */
function lonely(isFinal: boolean, more: Partial<FrameToSend> = {}): Script {
  return refused(
    frame(CONTINUATION, "non-continuation payload", { isFinal, ...more }),
    frame(TEXT, HELLO, more),
  );
}

function lonelyTwice(isFinal: boolean): Script {
  const once = [
    frame(CONTINUATION, "fragment1", { isFinal }),
    ...fragmented(TEXT, ["fragment2", "fragment3"]),
  ];
  return refused(...once, ...once);
}

/** Five fragments with pings in between, and a wait in which the first pong must come. */
function slowMessage(more: Partial<FrameToSend> = {}): Script {
  const fragments = [1, 2, 3, 4, 5].map((index) => `fragment${index}`);
  const steps = fragmented(TEXT, fragments, more);
  steps.splice(4, 0, frame(PING, "pongme 2!", more));
  steps.splice(2, 0, frame(PING, "pongme 1!", more), { kind: "wait", tag: "between" });
  return {
    steps,
    expected: [
      pongOf("pongme 1!"),
      { kind: "waited", tag: "between" },
      pongOf("pongme 2!"),
      echoOf(fragments.join("")),
    ],
    close: CLEAN,
  };
}

function fragments(): [string, Script][] {
  return [
    ["5.1", refused(...fragmented(PING, PAIR))],
    ["5.2", refused(...fragmented(PONG, PAIR))],
    ["5.3", echoedPair()],
    ["5.4", echoedPair(ALONE)],
    ["5.5", echoedPair(BYTEWISE)],
    ["5.6", pingBetween()],
    ["5.7", pingBetween(ALONE)],
    ["5.8", pingBetween(BYTEWISE)],
    ["5.9", lonely(true)],
    ["5.10", lonely(true, ALONE)],
    ["5.11", lonely(true, BYTEWISE)],
    ["5.12", lonely(false)],
    ["5.13", lonely(false, ALONE)],
    ["5.14", lonely(false, BYTEWISE)],
    [
      "5.15",
      {
        steps: [
          ...fragmented(TEXT, PAIR),
          frame(CONTINUATION, "fragment3", { isFinal: false }),
          frame(TEXT, "fragment4"),
        ],
        expected: [echoOf(PAIR.join(""))],
        tolerated: [],
        close: FAILS_1002,
      },
    ],
    ["5.16", lonelyTwice(false)],
    ["5.17", lonelyTwice(true)],
    ["5.18", refused(frame(TEXT, "fragment1", { isFinal: false }), frame(TEXT, "fragment2"))],
    ["5.19", slowMessage()],
    ["5.20", slowMessage(ALONE)],
  ];
}

/** Scripts by id. */
export function violationCases(): [string, Script][] {
  return [...reservedBits(), ...reservedOpcodes(), ...fragments()];
}
