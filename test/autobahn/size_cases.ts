/** Groups 9 and 10: big messages, many fragments, many small writes, many round trips. */

import { echoCase } from "./framing_cases.ts";
import { BINARY, CLEAN, echoOf, fragmented, hex, repeated, type Script, TEXT } from "./script.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

const MESSAGE_SIZES = [64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB, 16 * MIB];
const FRAGMENT_SIZES = [64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB];
const FRAGMENTED_BYTES = 4 * MIB;
const CHOP_SIZES = [64, 128, 256, 512, 1024, 2048];
const CHOPPED_BYTES = MIB;
const EXCHANGE_SIZES = [0, 16, 64, 256, 1024, 4096];
const EXCHANGES = 1_000;

/** Autobahn waits for 10 to 480 s. */
const TIMEOUT_MS = 60_000;

/** How much smaller than Autobahn's everything but fragments and chops is, in a reduced run. */
const REDUCTION = 16;

const AUTO_FRAGMENT_BYTES = 1_300;

function cut(payload: Uint8Array, fragmentBytes: number): Uint8Array[] {
  const count = Math.ceil(payload.length / fragmentBytes);
  return Array.from({ length: count }, (_, index) =>
    payload.subarray(index * fragmentBytes, (index + 1) * fragmentBytes),
  );
}

function fragmentedEcho(opcode: number, payload: Uint8Array, fragmentBytes: number): Script {
  return {
    steps: fragmented(opcode, cut(payload, fragmentBytes)),
    expected: [echoOf(payload, opcode === TEXT)],
    close: CLEAN,
  };
}

function exchanges(opcode: number, payload: Uint8Array, count: number): Script {
  return {
    steps: [{ kind: "exchange", frame: { opcode, payload }, count }],
    expected: Array.from({ length: count }, () => echoOf(payload, opcode === TEXT)),
    close: CLEAN,
  };
}

/** Makers of scripts by id: made when needed, as they hold many megabytes. @param isFull - At Autobahn's sizes. */
export function sizeCases(isFull: boolean): [string, () => Script][] {
  const scale = isFull ? 1 : REDUCTION;
  const cases: [string, () => Script][] = [];
  const add = (id: string, make: () => Script): void => {
    cases.push([id, () => ({ timeoutMs: TIMEOUT_MS, ...make() })]);
  };
  for (const [offset, opcode, pattern] of [
    [0, TEXT, "BAsd7&jh23"],
    [1, BINARY, hex("00fe23faf0")],
  ] as const) {
    const payload = (sizeBytes: number): Uint8Array => repeated(pattern, sizeBytes);
    for (const [index, sizeBytes] of MESSAGE_SIZES.entries()) {
      add(`9.${1 + offset}.${index + 1}`, () => echoCase(opcode, payload(sizeBytes / scale)));
    }
    for (const [index, fragmentBytes] of FRAGMENT_SIZES.entries()) {
      add(`9.${3 + offset}.${index + 1}`, () =>
        fragmentedEcho(opcode, payload(FRAGMENTED_BYTES / scale), fragmentBytes),
      );
    }
    for (const [index, chopBytes] of CHOP_SIZES.entries()) {
      add(`9.${5 + offset}.${index + 1}`, () =>
        echoCase(opcode, payload(CHOPPED_BYTES / scale), { chopBytes }),
      );
    }
    for (const [index, sizeBytes] of EXCHANGE_SIZES.entries()) {
      add(`9.${7 + offset}.${index + 1}`, () =>
        exchanges(opcode, payload(sizeBytes), Math.ceil(EXCHANGES / scale)),
      );
    }
  }
  add("10.1.1", () => fragmentedEcho(TEXT, repeated("*", 65_536), AUTO_FRAGMENT_BYTES));
  return cases;
}
