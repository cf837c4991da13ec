#!/usr/bin/env node
/**
 * `npm run fuzz`: the fuzz targets of both sides, one after another, each for as long as asked. C targets
 * (ffi/fuzz/NAME_fuzz.c) run under libFuzzer with ASan and UBSan, TypeScript targets (test/fuzz/NAME.ts) on Node. What a
 * run learns stays under build/fuzz and is where the next one begins.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseOrExit } from "./arguments.mjs";
import { build } from "./build.mjs";
import { readGuided, readProgram, readReplay } from "./fuzz_report.mjs";
import { programCommand, programEnvironment } from "./runtimes.mjs";
import { capture, ROOT, runCaptured } from "./setup/command.mjs";
import { missingLibFuzzer } from "./setup/proof_tools.mjs";
import { setUpOrExit } from "./setup.mjs";

const HELP = `Usage: npm run fuzz -- [OPTIONS]

Runs every fuzz target and ends with exit code 1 when one of them found something. The input that shows it is under
build/fuzz/findings (C) or printed with its seed (TypeScript).

  --minutes N       per target, 1 unless given
  --target NAME     this one only (--list says which there are), or one side: c, ts
  --smoke           what CI does: C targets over their kept corpus and two seconds of mixtures, without clang; TypeScript
                    targets for a second
  --seed N          for a run that can be repeated (TypeScript, --smoke); otherwise the time
  --keep            afterwards, the smallest set of inputs with the same coverage becomes the kept corpus (C)
  --list            names the targets
  --help            this text`;

/** Longer inputs cost pace and show nothing that several short ones do not. */
const INPUT_BYTES_MAX = 2048;
const SMOKE_SECONDS = 2;
/** One input that takes this long hangs. */
const INPUT_LIMIT_SECONDS = 25;

function names(directory, pattern) {
  if (!existsSync(join(ROOT, directory))) return [];
  return readdirSync(join(ROOT, directory))
    .map((name) => pattern.exec(name)?.[1])
    .filter((name) => name !== undefined)
    .sort();
}

/** Every target: its name, its side and where its kept corpus is. */
function findTargets() {
  const c = names("ffi/fuzz", /^(.+)_fuzz\.c$/);
  const typescript = names("test/fuzz/targets", /^(.+)\.ts$/).filter((name) =>
    existsSync(join(ROOT, "test/fuzz", `${name}.ts`)),
  );
  return [
    ...c.map((name) => ({ name: `c-${name}`, side: "c", program: name, corpus: `ffi/fuzz/corpus/${name}` })),
    ...typescript.map((name) => ({
      name: `ts-${name.replaceAll("_", "-")}`,
      side: "ts",
      program: `test/fuzz/${name}.ts`,
      corpus: `test/fuzz/corpus/${name}`,
    })),
  ];
}

/** Where a target keeps what it learns: begins as a copy of the kept corpus, which only --keep changes. */
function workingCorpus(target) {
  const path = join(ROOT, "build/fuzz/corpus", target.name);
  mkdirSync(path, { recursive: true });
  if (existsSync(join(ROOT, target.corpus))) cpSync(join(ROOT, target.corpus), path, { recursive: true });
  return path;
}

/** Builds what the targets need. Returns why that is not possible, by side. */
function prepare(targets, isSmoke, noShim) {
  const reasons = {};
  if (targets.some(({ side }) => side === "c")) {
    const missing = noShim ?? (isSmoke ? undefined : missingLibFuzzer());
    const goal = isSmoke ? "fuzz-replay" : "fuzz";
    const make = missing === undefined ? capture("make", ["-C", "ffi", "-j2", goal]) : undefined;
    if (missing !== undefined) reasons.c = missing;
    else if (make.status !== 0) throw new Error(`"make -C ffi ${goal}" failed:\n${make.stderr}`);
  }
  if (targets.some(({ side }) => side === "ts")) {
    const complaint = build("node", { always: true });
    if (complaint !== undefined) throw new Error(complaint);
  }
  return reasons;
}

async function runC(target, options) {
  const corpus = workingCorpus(target);
  if (options.smoke) {
    const words = [`-seconds=${SMOKE_SECONDS}`, `-seed=${options.seed}`, corpus];
    const program = join(ROOT, "ffi/build/fuzz", `replay_${target.program}`);
    return readReplay(await runCaptured(program, words, { limitMs: 120_000 }));
  }
  const findings = join(ROOT, "build/fuzz/findings", target.name);
  mkdirSync(findings, { recursive: true });
  const seconds = Math.round(options.minutes * 60);
  const result = await runCaptured(
    join(ROOT, "ffi/build/fuzz", target.program),
    [
      `-max_total_time=${seconds}`,
      `-max_len=${INPUT_BYTES_MAX}`,
      `-timeout=${INPUT_LIMIT_SECONDS}`,
      "-print_final_stats=1",
      `-artifact_prefix=${findings}/`,
      corpus,
    ],
    { limitMs: (seconds + 120) * 1000 },
  );
  return readGuided(result);
}

async function runTypeScript(target, options) {
  const seconds = options.smoke ? 1 : Math.round(options.minutes * 60);
  const [program, ...words] = programCommand("node", target.program);
  const result = await runCaptured(
    program,
    [...words, "--seconds", `${seconds}`, "--seed", `${options.seed}`, "--corpus", workingCorpus(target)],
    { limitMs: (seconds + 120) * 1000, environment: programEnvironment("node") },
  );
  return readProgram(result);
}

/** Replaces the kept corpus by the smallest set that reaches every edge the working one reaches. */
function keepCorpus(target) {
  const kept = join(ROOT, target.corpus);
  const fresh = join(ROOT, "build/fuzz/kept", target.name);
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  const words = [
    "-set_cover_merge=1",
    "-use_counters=0",
    `-max_len=${INPUT_BYTES_MAX}`,
    fresh,
    workingCorpus(target),
  ];
  const merge = capture(join(ROOT, "ffi/build/fuzz", target.program), words);
  if (merge.status !== 0)
    throw new Error(`Cannot merge the corpus of ${target.name}:\n${merge.stderr.slice(-2000)}`);
  rmSync(kept, { recursive: true, force: true });
  cpSync(fresh, kept, { recursive: true });
  return readdirSync(kept).length;
}

const KNOWN = {
  minutes: "number",
  target: "text",
  seed: "number",
  smoke: "flag",
  keep: "flag",
  list: "flag",
};
const options = {
  minutes: 1,
  seed: Date.now() % 1_000_000_000,
  ...parseOrExit(process.argv.slice(2), KNOWN, HELP),
};
const all = findTargets();
if (options.list) {
  for (const { name } of all) console.log(name);
  process.exit(0);
}
const chosen = all.filter(
  ({ name }) =>
    options.target === undefined || name === options.target || name.startsWith(`${options.target}-`),
);
if (chosen.length === 0) {
  console.error(`Unknown target "${options.target}": there are ${all.map(({ name }) => name).join(", ")}.`);
  process.exit(2);
}
const noShim = await setUpOrExit();
const reasons = prepare(chosen, options.smoke === true, noShim);
let hasFindings = false;
let ran = 0;
for (const target of chosen) {
  const reason = reasons[target.side];
  if (reason !== undefined) {
    console.log(`SKIPPED ${target.name}: ${reason}`);
    continue;
  }
  const result = await (target.side === "c" ? runC : runTypeScript)(target, options);
  ran++;
  hasFindings = hasFindings || result.findings > 0;
  const kept =
    options.keep && target.side === "c" && !options.smoke ? `, kept ${keepCorpus(target)} inputs` : "";
  const word = result.isSkipped ? "SKIPPED" : result.findings > 0 ? "FOUND  " : "clean  ";
  console.log(`${word} ${target.name.padEnd(20)} ${result.summary}${kept}`);
  if (result.findings > 0) console.log(result.detail);
}
process.exitCode = hasFindings || ran === 0 ? 1 : 0;
