/** Autobahn's case list, with a script for each case that there is one for. */

import list from "./cases.json" with { type: "json" };
import { closingCases } from "./closing_cases.ts";
import { compressionCases } from "./compression_cases.ts";
import { framingCases } from "./framing_cases.ts";
import type { Script } from "./script.ts";
import { sizeCases } from "./size_cases.ts";
import { utf8Cases } from "./utf8_cases.ts";
import { violationCases } from "./violation_cases.ts";

/** One of Autobahn's cases. */
export interface Case {
  readonly id: string;
  readonly description: string;
  readonly expectation: string;
  /** Makes what has to be done. */
  readonly script: () => Script;
}

/**
 * All cases in Autobahn's order.
 *
 * @param isFull - With groups 9, 12 and 13 at their full size.
 * @param third - 0 to 2: only this third of groups 12 and 13 at full size. They take longer than all else together.
 */
export function caseList(isFull: boolean, third?: number): Case[] {
  const isMine = (group: number, index: number): boolean =>
    isFull && (third === undefined || (group + index) % 3 === third);
  const small = [...framingCases(), ...violationCases(), ...utf8Cases(list), ...closingCases()];
  const scripts = new Map<string, () => Script>([
    ...small.map(([id, script]): [string, () => Script] => [id, () => script]),
    ...sizeCases(isFull),
    ...compressionCases(isMine),
  ]);
  return list.map((entry) => {
    const script = scripts.get(entry.id);
    if (script === undefined) throw new Error(`Case ${entry.id} has no script`);
    return { ...entry, script };
  });
}
