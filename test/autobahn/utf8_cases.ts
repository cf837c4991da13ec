/** Group 6: text that is UTF-8 and text that is not, whole, in fragments and slowly. */

import { echoCase } from "./framing_cases.ts";
import { CLEAN, echoOf, FAILS_1007, fragmented, frame, hex, type Script, type Step, TEXT } from "./script.ts";

const GREEK = hex("cebae1bdb9cf83cebcceb5");
const HELLO = new TextEncoder().encode("Hello-µ@ßöäüàá-UTF-8!!");
/** Where "Hello-µ@ßöä" ends. */
const HELLO_CUT = 15;
const SURROGATE = hex("cebae1bdb9cf83cebcceb5eda080656469746564");

function bytewise(text: Uint8Array): Step[] {
  return fragmented(
    TEXT,
    Array.from(text, (byte) => Uint8Array.of(byte)),
  );
}

function echoedFragments(fragments: readonly Uint8Array[]): Script {
  const whole = fragments.flatMap((fragment) => [...fragment]);
  return { steps: fragmented(TEXT, fragments), expected: [echoOf(Uint8Array.from(whole))], close: CLEAN };
}

/** The second of three parts makes the text wrong, and should be refused before the third is there. */
function failFast(parts: readonly (readonly Step[])[]): Script {
  const [first, second, third] = parts;
  return {
    steps: [...first, { kind: "wait", tag: "A" }, ...second, { kind: "wait", tag: "B" }, ...third],
    expected: [{ kind: "waited", tag: "A" }],
    tolerated: [
      { kind: "waited", tag: "A" },
      { kind: "waited", tag: "B" },
    ],
    close: FAILS_1007,
  };
}

function failFastInFrames(parts: readonly string[]): Script {
  return failFast(fragmented(TEXT, parts.map(hex)).map((step) => [step]));
}

function failFastInChops(parts: readonly string[]): Script {
  const bodies = parts.map((part): Step[] => [{ kind: "body", bytes: hex(part) }]);
  const sizeBytes = hex(parts.join("")).length;
  return failFast([[{ kind: "head", opcode: TEXT, sizeBytes }, ...bodies[0]], bodies[1], bodies[2]]);
}

/** 6.5 to 6.23 carry their payload and whether it is valid in their description. */
function described(id: string, description: string): [string, Script] {
  const digits = /Payload: 0x([0-9a-f]+)$/.exec(description)?.[1];
  if (digits === undefined) throw new Error(`Case ${id} has no payload in "${description}"`);
  const payload = hex(digits);
  if (!description.includes("which is not valid")) return [id, echoCase(TEXT, payload)];
  return [id, { steps: [frame(TEXT, payload)], expected: [], close: FAILS_1007 }];
}

/** Scripts by id. @param list - The cases of this group: some are told by their description. */
export function utf8Cases(
  list: readonly { readonly id: string; readonly description: string }[],
): [string, Script][] {
  const wholeMiddle = ["cebae1bdb9cf83cebcceb5", "f4908080", "656469746564"];
  const oneByteMiddle = ["cebae1bdb9cf83cebcceb5f4", "90", "8080656469746564"];
  return [
    ["6.1.1", echoCase(TEXT, new Uint8Array(0))],
    ["6.1.2", echoedFragments([hex(""), hex(""), hex("")])],
    ["6.1.3", echoedFragments([hex(""), new TextEncoder().encode("middle frame payload"), hex("")])],
    ["6.2.1", echoCase(TEXT, HELLO)],
    ["6.2.2", echoedFragments([HELLO.subarray(0, HELLO_CUT), HELLO.subarray(HELLO_CUT)])],
    ["6.2.3", { steps: bytewise(HELLO), expected: [echoOf(HELLO)], close: CLEAN }],
    ["6.2.4", { steps: bytewise(GREEK), expected: [echoOf(GREEK)], close: CLEAN }],
    ["6.3.1", { steps: [frame(TEXT, SURROGATE)], expected: [], close: FAILS_1007 }],
    ["6.3.2", { steps: bytewise(SURROGATE), expected: [], close: FAILS_1007 }],
    ["6.4.1", failFastInFrames(wholeMiddle)],
    ["6.4.2", failFastInFrames(oneByteMiddle)],
    ["6.4.3", failFastInChops(wholeMiddle)],
    ["6.4.4", failFastInChops(oneByteMiddle)],
    ...list
      .filter(({ id }) => /^6\.([5-9]|1\d|2\d)\./.test(id))
      .map(({ id, description }) => described(id, description)),
  ];
}
