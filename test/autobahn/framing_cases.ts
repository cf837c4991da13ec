/** Groups 1 and 2: messages of all length encodings, pings and pongs. */

import {
  BINARY,
  CLEAN,
  echoOf,
  FAILS_1002,
  type FrameToSend,
  frame,
  hex,
  PING,
  PONG,
  pongOf,
  repeated,
  type Script,
  type Step,
  TEXT,
} from "./script.ts";

/** Lengths of 1.1.x and 1.2.x. The last comes in chops. */
const SIZES = [0, 125, 126, 127, 128, 65_535, 65_536, 65_536];
const CHOP_BYTES = 997;

/** One message, sent back as it came. */
export function echoCase(opcode: number, payload: Uint8Array, more: Partial<FrameToSend> = {}): Script {
  return {
    steps: [frame(opcode, payload, more)],
    expected: [echoOf(payload, opcode === TEXT)],
    close: CLEAN,
  };
}

/** One ping, answered. */
function pingCase(payload: Uint8Array | string, more: Partial<FrameToSend> = {}): Script {
  return { steps: [frame(PING, payload, more)], expected: [pongOf(payload)], close: CLEAN };
}

function tenPings(more: Partial<FrameToSend>): Script {
  const payloads = Array.from({ length: 10 }, (_, index) => `payload-${index}`);
  return {
    steps: payloads.map((payload) => frame(PING, payload, more)),
    expected: payloads.map((payload) => pongOf(payload)),
    close: CLEAN,
  };
}

function unsolicitedPong(payload: string, behind: readonly Step[] = []): Script["steps"] {
  return [frame(PONG, payload), ...behind, { kind: "wait" }];
}

/** Scripts by id. */
export function framingCases(): [string, Script][] {
  const cases: [string, Script][] = [];
  for (const [index, sizeBytes] of SIZES.entries()) {
    const chops = index === SIZES.length - 1 ? { chopBytes: CHOP_BYTES } : {};
    cases.push([`1.1.${index + 1}`, echoCase(TEXT, repeated("*", sizeBytes), chops)]);
    cases.push([`1.2.${index + 1}`, echoCase(BINARY, repeated(hex("fe"), sizeBytes), chops)]);
  }
  cases.push(
    ["2.1", pingCase("")],
    ["2.2", pingCase("Hello, world!")],
    ["2.3", pingCase(hex("00fffefdfcfb00ff"))],
    ["2.4", pingCase(repeated(hex("fe"), 125))],
    ["2.5", { steps: [frame(PING, repeated(hex("fe"), 126))], expected: [], close: FAILS_1002 }],
    ["2.6", pingCase(repeated(hex("fe"), 125), { chopBytes: 1 })],
    ["2.7", { steps: unsolicitedPong(""), expected: [], close: CLEAN }],
    ["2.8", { steps: unsolicitedPong("unsolicited pong payload"), expected: [], close: CLEAN }],
    [
      "2.9",
      {
        steps: unsolicitedPong("unsolicited pong payload", [frame(PING, "ping payload")]),
        expected: [pongOf("ping payload")],
        close: CLEAN,
      },
    ],
    ["2.10", tenPings({})],
    ["2.11", tenPings({ chopBytes: 1 })],
  );
  return cases;
}
