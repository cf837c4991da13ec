/** Groups 12 and 13: many compressed messages, one at a time, of five kinds of data and with seven sets of parameters. */

import type { Wish } from "./deflate_parameters.ts";
import { BINARY, CLEAN, type Script, TEXT } from "./script.ts";
import {
  BITMAP_DATA,
  GERMAN_DATA,
  HTML_DATA,
  JSON_DATA,
  PDF_DATA,
  pieceOf,
  type TestData,
} from "./test_data.ts";

const KIB = 1024;

/** Message size, and the size of fragments, 0 for none: the cases of each subgroup. */
const SIZES: readonly (readonly [sizeBytes: number, fragmentBytes: number])[] = [
  [16, 0],
  [64, 0],
  [256, 0],
  [KIB, 0],
  [4 * KIB, 0],
  [8 * KIB, 0],
  [16 * KIB, 0],
  [32 * KIB, 0],
  [64 * KIB, 0],
  [128 * KIB, 0],
  [8 * KIB, 256],
  [16 * KIB, 256],
  [32 * KIB, 256],
  [64 * KIB, 256],
  [128 * KIB, 256],
  [128 * KIB, KIB],
  [128 * KIB, 4 * KIB],
  [128 * KIB, 32 * KIB],
];

const MESSAGES = 1_000;
/** In a reduced run: enough to fill a window, few enough to be quick. */
const REDUCED_MESSAGES = 24;
const REDUCED_MIN_MESSAGES = 3;
const REDUCED_BYTES = 64 * KIB;

/** From here on even a compressor without context makes something of a message. */
const SHRINKING_BYTES = KIB;

const DEFAULT: Wish = { noContextTakeover: false, windowBits: 0 };

/** 12.1 to 12.5. */
const DATA: readonly (() => TestData)[] = [JSON_DATA, BITMAP_DATA, GERMAN_DATA, HTML_DATA, PDF_DATA];
/** 13.1 to 13.7. */
const WISHES: readonly (readonly Wish[])[] = [
  [DEFAULT],
  [{ noContextTakeover: true, windowBits: 0 }],
  [{ noContextTakeover: false, windowBits: 9 }],
  [{ noContextTakeover: false, windowBits: 15 }],
  [{ noContextTakeover: true, windowBits: 9 }],
  [{ noContextTakeover: true, windowBits: 15 }],
  [{ noContextTakeover: true, windowBits: 9 }, { noContextTakeover: true, windowBits: 0 }, DEFAULT],
];

/** Autobahn's patience with all messages of a case. */
function timeoutMsOf(sizeBytes: number): number {
  if (sizeBytes <= 64) return 60_000;
  if (sizeBytes <= 256) return 120_000;
  return sizeBytes <= KIB ? 240_000 : 480_000;
}

function reducedCount(sizeBytes: number): number {
  return Math.min(REDUCED_MESSAGES, Math.max(REDUCED_MIN_MESSAGES, REDUCED_BYTES / sizeBytes));
}

/**
 * Makers of scripts by id.
 *
 * @param isFull - Whether a case, by its subgroup's and its own index, has a thousand messages.
 */
export function compressionCases(
  isFull: (group: number, index: number) => boolean,
): [string, () => Script][] {
  const groups: [string, () => TestData, readonly Wish[]][] = [
    ...DATA.map((data, index): [string, () => TestData, Wish[]] => [`12.${index + 1}`, data, [DEFAULT]]),
    ...WISHES.map((wishes, index): [string, () => TestData, readonly Wish[]] => [
      `13.${index + 1}`,
      JSON_DATA,
      wishes,
    ]),
  ];
  return groups.flatMap(([name, data, wishes], group) =>
    SIZES.map(([sizeBytes, fragmentBytes], index): [string, () => Script] => [
      `${name}.${index + 1}`,
      () => {
        const count = isFull(group, index) ? MESSAGES : reducedCount(sizeBytes);
        return { wishes, ...echoes(data(), count, sizeBytes, fragmentBytes) };
      },
    ]),
  );
}

function echoes(file: TestData, count: number, sizeBytes: number, fragmentBytes: number): Script {
  return {
    steps: [
      {
        kind: "echoes",
        opcode: file.isText ? TEXT : BINARY,
        count,
        fragmentBytes,
        mustShrink: file.isCompressible && sizeBytes >= SHRINKING_BYTES,
        payload: (message) => pieceOf(file, message, sizeBytes),
      },
    ],
    expected: [{ kind: "echoed", count }],
    close: CLEAN,
    timeoutMs: timeoutMsOf(sizeBytes),
  };
}
