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
  /** Makes what has to be done; undefined for cases that are not covered yet. */
  readonly script: (() => Script) | undefined;
}

/** Groups without scripts: they need permessage-deflate, which Ringwire does not speak yet. */
export const NOT_YET: readonly string[] = ["12", "13"];

/** All cases in Autobahn's order. @param isFull - With group 9 at its full size. */
export function caseList(isFull: boolean): Case[] {
  const small = [...framingCases(), ...violationCases(), ...utf8Cases(list), ...closingCases()];
  const scripts = new Map<string, () => Script>([
    ...small.map(([id, script]): [string, () => Script] => [id, () => script]),
    ...sizeCases(isFull),
  ]);
  return list.map((entry) => ({ ...entry, script: scripts.get(entry.id) }));
}

/** Whether an id is meant by one of the patterns, in which `*` stands for anything. */
export function isSelected(id: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => {
    const parts = pattern.split("*").map((part) => part.replaceAll(".", "\\."));
    return new RegExp(`^${parts.join(".*")}$`).test(id);
  });
}
