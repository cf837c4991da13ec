/** Autobahn's case list, with a script for each case that there is one for. */

import list from "./cases.json" with { type: "json" };
import { closingCases } from "./closing_cases.ts";
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
  /** Makes what has to be done; undefined for groups 12 and 13, which need permessage-deflate. */
  readonly script: (() => Script) | undefined;
}

/** All cases in Autobahn's order. @param isFull - With group 9 at its full size. */
export function caseList(isFull: boolean): Case[] {
  const small = [...framingCases(), ...violationCases(), ...utf8Cases(list), ...closingCases()];
  const scripts = new Map<string, () => Script>([
    ...small.map(([id, script]): [string, () => Script] => [id, () => script]),
    ...sizeCases(isFull),
  ]);
  return list.map((entry) => ({ ...entry, script: scripts.get(entry.id) }));
}
