/** What a run found, as the files that scripts/conformance.mjs puts together. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Verdict } from "./judge.ts";

/** One case of one combination. */
export interface Result extends Verdict {
  readonly id: string;
  readonly durationMs: number;
  /** The code that the implementation closed with; null without one. */
  readonly closeCode: number | null;
  /** Bytes on the wire per byte of compressed echoes, in groups 12 and 13; null elsewhere. */
  readonly ratio: number | null;
}

/** One runtime, transport, role and delivery, with its results in Autobahn's order. */
export interface Combination {
  readonly runtime: string;
  readonly transport: string;
  readonly role: string;
  readonly delivery: string;
  readonly results: readonly Result[];
}

/** Writes a combination's results into a folder, as one file. */
export function writeReport(folder: string, combination: Combination): void {
  const { runtime, transport, role, delivery } = combination;
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${[runtime, transport, role, delivery].join("-")}.json`);
  writeFileSync(path, `${JSON.stringify(combination, undefined, 1)}\n`);
}
