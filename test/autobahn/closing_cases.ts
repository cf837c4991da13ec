/** Group 7: closing, in order and out of order, with codes and reasons right and wrong. */

import {
  CLEAN,
  CONTINUATION,
  type ExpectedClose,
  echoOf,
  frame,
  hex,
  PING,
  repeated,
  type Script,
  type Step,
  TEXT,
} from "./script.ts";

const HELLO = "Hello World!";
const BIG_BYTES = 256 * 1024;

const VALID_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
const INVALID_CODES = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999];
/** Beyond what the standard speaks of (RFC 6455 §7.4.2 ends at 4999). */
const UNHEARD_CODES = [5000, 65_535];

const NORMAL: ExpectedClose = { ...CLEAN, isCodeBinding: true };
/** Closing with one of these codes, or dropping the connection. */
const refusal = (...codes: number[]): ExpectedClose => ({
  byPeer: true,
  codes,
  mustBeClean: false,
  isCodeBinding: true,
});

function close(code: number, reason: Uint8Array | string = ""): Step {
  const tail = typeof reason === "string" ? new TextEncoder().encode(reason) : reason;
  return { kind: "close", payload: Uint8Array.of(code >> 8, code & 0xff, ...tail) };
}

/** Frames behind which nothing but the closing is expected. */
function silent(end: ExpectedClose, ...steps: readonly Step[]): Script {
  return { steps, expected: [], close: end };
}

/** Scripts by id. */
export function closingCases(): [string, Script][] {
  const empty: Step = { kind: "close", payload: new Uint8Array(0) };
  const big = repeated("BAsd7&jh23", BIG_BYTES);
  const cases: [string, Script][] = [
    ["7.1.1", { steps: [frame(TEXT, HELLO)], expected: [echoOf(HELLO)], close: NORMAL }],
    ["7.1.2", silent(NORMAL, close(1000), close(1000))],
    ["7.1.3", silent(NORMAL, close(1000), frame(PING))],
    ["7.1.4", silent(NORMAL, close(1000), frame(TEXT, HELLO))],
    [
      "7.1.5",
      silent(
        NORMAL,
        frame(TEXT, "fragment1", { isFinal: false }),
        close(1000),
        frame(CONTINUATION, "fragment2"),
      ),
    ],
    [
      "7.1.6",
      {
        steps: [frame(TEXT, big), frame(TEXT, HELLO), close(1000), frame(PING)],
        expected: [echoOf(big), echoOf(HELLO)],
        close: NORMAL,
        isInformational: true,
      },
    ],
    ["7.3.1", silent(NORMAL, empty)],
    ["7.3.2", silent(refusal(1002), { kind: "close", payload: hex("61") })],
    ["7.3.3", silent(NORMAL, close(1000))],
    ["7.3.4", silent(NORMAL, close(1000, HELLO))],
    ["7.3.5", silent(NORMAL, close(1000, repeated("*", 123)))],
    ["7.3.6", silent(refusal(1002), close(1000, repeated("*", 124)))],
    ["7.5.1", silent(refusal(1002, 1007), close(1000, hex("cebae1bdb9cf83cebcceb5eda080656469746564")))],
  ];
  for (const [index, code] of VALID_CODES.entries()) {
    const end = { ...refusal(1000, code), mustBeClean: true };
    cases.push([`7.7.${index + 1}`, silent(end, close(code))]);
  }
  for (const [index, code] of INVALID_CODES.entries()) {
    cases.push([`7.9.${index + 1}`, silent(refusal(1002), close(code))]);
  }
  for (const [index, code] of UNHEARD_CODES.entries()) {
    const script = silent(refusal(1000, code, 1002), close(code));
    cases.push([`7.13.${index + 1}`, { ...script, isInformational: true }]);
  }
  return cases;
}
