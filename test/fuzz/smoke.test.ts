/**
 * A second or so of each fuzzing target: its hand-made inputs, those kept from long runs, and inputs that fast-check draws
 * from a fixed seed, so that what fails once fails again. RINGWIRE_FUZZ_SEED draws others.
 */

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toHex } from "./byte_text.ts";
import { readCorpus } from "./program.ts";
import { findingOf } from "./target.ts";
import { allTargets } from "./targets/all.ts";

const SEED = Number(process.env.RINGWIRE_FUZZ_SEED ?? 20_261_121);
const RANDOM_MS = 600;
const MOST_RUNS = 100_000;

describe.each(allTargets)("fuzzing $name", (target) => {
  const corpus = fileURLToPath(new URL(`corpus/${target.name}`, import.meta.url));
  test.skipIf(target.unavailable !== undefined)("hand-made and kept inputs break nothing", async () => {
    const inputs = [...target.seeds, ...readCorpus(corpus)];
    for (const input of inputs) {
      expect((await findingOf(target, input))?.stack, `--hex ${toHex(input)}`).toBe(undefined);
    }
    expect(inputs.length).toBeGreaterThan(0);
  });

  test.skipIf(target.unavailable !== undefined)(
    `inputs drawn from a seed break nothing${target.unavailable === undefined ? "" : ` (${target.unavailable})`}`,
    async () => {
      const input = fc.uint8Array({ minLength: 1, maxLength: target.maxBytes, size: "max" });
      let runs = 0;
      const property = fc.asyncProperty(input, async (bytes) => {
        runs++;
        const finding = await findingOf(target, bytes);
        if (finding !== undefined) throw new Error(`${finding.stack}\nagain: --hex ${toHex(bytes)}`);
      });
      await fc.assert(property, {
        seed: SEED,
        numRuns: MOST_RUNS,
        interruptAfterTimeLimit: RANDOM_MS,
        markInterruptAsFailure: false,
      });
      expect(runs).toBeGreaterThan(10);
    },
  );

  test("has a program of its own", () => {
    expect(existsSync(fileURLToPath(new URL(`${target.name}.ts`, import.meta.url)))).toBe(true);
  });
});
