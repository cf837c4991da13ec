/**
 * Looks for inputs that break a target until time is up: mutates what reached something new before, and keeps what
 * reaches something new now. A seed repeats a run, as far as the time it takes allows.
 */

import { seeded } from "../protocol/frames.ts";
import { type CoverageMap, LEARNT_CODE, LEARNT_NOTHING } from "./coverage.ts";
import { minimise } from "./minimise.ts";
import { drawBytes, mutate } from "./mutator.ts";
import { type Finding, type FuzzTarget, findingOf } from "./target.ts";

/** An input that takes this long would hold up every other connection of its loop. */
const SLOW_MS = 2_000;
/** Asking for coverage takes as long as some inputs: so many are run for one question whether a new block was reached at all. */
const BATCH = 7;
/** So many inputs are mutated; random ones replace each other beyond it. */
const MOST_INPUTS = 4_000;

/** How long and from where. */
export interface SearchPlan {
  readonly seconds: number;
  readonly seed: number;
  /** Ends the search: many kinds of findings are one defect in many dresses. */
  readonly mostFindings: number;
  /** Inputs of earlier runs. */
  readonly corpus: readonly Uint8Array[];
  /** Undefined: blind. */
  readonly coverage: CoverageMap | undefined;
}

/** What came of it. */
export interface SearchResult {
  readonly runs: number;
  readonly seconds: number;
  /** Characters of sources that were reached; 0 when blind. */
  readonly reached: number;
  /** Minimised, one of each kind. */
  readonly findings: readonly Finding[];
  /** Inputs that reached something new. */
  readonly news: readonly Uint8Array[];
}

/** Whether an input takes long again: the first time the machine may have been busy. */
async function isSlow(target: FuzzTarget, input: Uint8Array): Promise<boolean> {
  for (let attempt = 0; attempt < 3; attempt++) {
    const beginMs = performance.now();
    await findingOf(target, input);
    if (performance.now() - beginMs <= SLOW_MS) return false;
  }
  return true;
}

/** Searches. */
export async function search(target: FuzzTarget, plan: SearchPlan): Promise<SearchResult> {
  const random = seeded(plan.seed);
  const findings = new Map<string, Finding>();
  const inputs: Uint8Array[] = [];
  const news: Uint8Array[] = [];
  const startMs = performance.now();
  const endMs = startMs + plan.seconds * 1_000;
  let runs = 0;

  const attempt = async (input: Uint8Array): Promise<void> => {
    const beginMs = performance.now();
    const finding = await findingOf(target, input);
    runs++;
    const slow = performance.now() - beginMs > SLOW_MS && (await isSlow(target, input));
    const kind = finding?.error ?? (slow ? `slow: more than ${SLOW_MS} ms` : undefined);
    if (kind !== undefined && !findings.has(kind) && findings.size < plan.mostFindings) {
      findings.set(kind, finding ?? { error: kind, stack: kind, input });
    }
  };
  /** Tries one input and keeps it if it reaches something new, more often than before included. */
  const examine = async (input: Uint8Array): Promise<void> => {
    await attempt(input);
    if ((plan.coverage?.learn() ?? LEARNT_NOTHING) === LEARNT_NOTHING) return;
    news.push(input);
    if (inputs.length < MOST_INPUTS) inputs.push(input);
    else inputs[Math.floor(random() * MOST_INPUTS)] = input;
  };
  const pickInput = (): Uint8Array => inputs[Math.floor(random() * inputs.length)];
  const draw = (): Uint8Array =>
    random() < 0.1
      ? drawBytes(random, target.maxBytes)
      : mutate(pickInput(), pickInput(), random, target.maxBytes);

  plan.coverage?.learn();
  for (const input of [...target.seeds, ...plan.corpus]) {
    await attempt(input);
    if (plan.coverage === undefined || plan.coverage.learn() !== LEARNT_NOTHING) inputs.push(input);
  }
  if (inputs.length === 0) inputs.push(Uint8Array.of(0));
  while (performance.now() < endMs && findings.size < plan.mostFindings) {
    await examine(draw());
    const batch = Array.from({ length: BATCH }, draw);
    for (const input of batch) await attempt(input);
    if (plan.coverage?.reachesNew() === true) for (const input of batch) await examine(input);
  }
  const seconds = (performance.now() - startMs) / 1_000;
  return {
    runs,
    seconds,
    reached: plan.coverage?.reachedCharacters ?? 0,
    findings: await Promise.all([...findings.values()].map((finding) => minimised(target, finding))),
    news,
  };
}

async function minimised(target: FuzzTarget, finding: Finding): Promise<Finding> {
  const input = await minimise(
    finding.input,
    async (candidate) => (await findingOf(target, candidate))?.error === finding.error,
  );
  return (await findingOf(target, input)) ?? finding;
}

/** So many inputs of a target are kept: the suite replays them on every runtime. */
const MOST_KEPT = 64;

/**
 * What of a corpus is worth keeping: the smallest inputs that reach code which those before them do not, then those that
 * reach it in other numbers.
 *
 * @param inputs - In any order. Those that break the target are left out.
 */
export async function distil(
  target: FuzzTarget,
  inputs: readonly Uint8Array[],
  coverage: CoverageMap,
): Promise<Uint8Array[]> {
  for (const seed of target.seeds) await findingOf(target, seed);
  coverage.learn();
  const first: Uint8Array[] = [];
  const second: Uint8Array[] = [];
  for (const input of inputs.toSorted((left, right) => left.length - right.length)) {
    const finding = await findingOf(target, input);
    const learnt = coverage.learn();
    if (finding === undefined && learnt !== LEARNT_NOTHING)
      (learnt === LEARNT_CODE ? first : second).push(input);
  }
  return [...first, ...second].slice(0, MOST_KEPT);
}
