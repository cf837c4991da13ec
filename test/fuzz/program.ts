/**
 * The command line that every fuzzing program has: `--seconds N --seed S --corpus DIR`, or `--input FILE` (or `--hex
 * DIGITS`) to run one input again, or `--corpus DIR --distil DIR` to write what of a corpus is worth keeping. Prints one line of
 * JSON; ends with 1 when a property was broken.
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fromHex, toHex } from "./byte_text.ts";
import { CoverageMap } from "./coverage.ts";
import { distil, search } from "./search.ts";
import { type Finding, type FuzzTarget, findingOf } from "./target.ts";

const OPTIONS = {
  seconds: { type: "string", default: "10" },
  seed: { type: "string" },
  corpus: { type: "string" },
  input: { type: "string" },
  hex: { type: "string" },
  distil: { type: "string" },
} as const;

const MOST_FINDINGS = 10;

/** Reads the inputs of a folder; none when it does not exist. */
export function readCorpus(folder: string): Uint8Array[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => name.endsWith(".bin"));
  return names.sort().map((name) => Uint8Array.from(readFileSync(join(folder, name))));
}

/** Runs a target as a program, and ends the process. */
export async function runProgram(target: FuzzTarget): Promise<void> {
  const { values } = parseArgs({ options: OPTIONS });
  if (target.unavailable !== undefined) {
    console.error(`SKIPPED: ${target.unavailable}`);
    console.log(JSON.stringify({ target: target.name, skipped: true, runs: 0, seconds: 0, findings: 0 }));
    return;
  }
  if (values.input !== undefined || values.hex !== undefined) {
    const bytes = values.hex === undefined ? readFileSync(values.input as string) : fromHex(values.hex);
    const finding = await findingOf(target, Uint8Array.from(bytes));
    console.log(finding === undefined ? `${target.name}: the input breaks nothing` : finding.stack);
    process.exitCode = finding === undefined ? 0 : 1;
    return;
  }
  const seed = Number(values.seed ?? Date.now() % 0x7fff_ffff);
  const folder = values.corpus;
  const coverage = await CoverageMap.open(target.covers);
  const corpus = folder === undefined ? [] : readCorpus(folder);
  const seconds = Number(values.seconds);
  if (values.distil !== undefined) {
    if (coverage === undefined) throw new TypeError("Cannot distil a corpus: only Node counts coverage");
    const kept = await distil(target, corpus, coverage);
    keep(values.distil, kept);
    console.log(`${target.name}: ${kept.length} of ${corpus.length} inputs kept`);
    return;
  }
  const result = await search(target, { seconds, seed, mostFindings: MOST_FINDINGS, corpus, coverage });
  if (folder !== undefined && result.news.length > 0) keep(folder, result.news);
  for (const finding of result.findings) complain(target, finding, seed, folder);
  const { runs, reached, findings } = result;
  const summary = {
    target: target.name,
    runs,
    seconds: Math.round(result.seconds * 10) / 10,
    findings: findings.length,
  };
  console.log(JSON.stringify({ ...summary, reached, corpus: corpus.length + result.news.length, seed }));
  process.exitCode = findings.length > 0 ? 1 : 0;
}

function keep(folder: string, inputs: readonly Uint8Array[]): void {
  mkdirSync(folder, { recursive: true });
  for (const input of inputs) writeFileSync(join(folder, `${nameOf(input)}.bin`), input);
}

function complain(target: FuzzTarget, finding: Finding, seed: number, folder: string | undefined): void {
  const { stack, input } = finding;
  if (folder !== undefined) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `crash-${nameOf(input)}.bin`), input);
  }
  console.error(`${target.name} (seed ${seed}): ${stack}\nagain: --hex ${toHex(input)}\n`);
}

/** A name that is the same for the same bytes (FNV-1a). */
function nameOf(input: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (const byte of input) hash = Math.imul(hash ^ byte, 0x01000193);
  return `${input.length}-${(hash >>> 0).toString(16).padStart(8, "0")}`;
}
