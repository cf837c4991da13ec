/**
 * Results as files: one JSON object for each workload.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** One run to a line: small, and differences are readable. */
function resultJson({ rounds, ...rest }) {
  const head = JSON.stringify(rest, null, 1)
    .replace(/\[[\d,\s]+\]/g, (list) => list.replace(/\s+/g, ""))
    .replace(/\n}$/, "");
  if (rounds === undefined) return `${head}\n}\n`;
  const lines = rounds.map((round) => `  [${round.map((run) => JSON.stringify(run)).join(",\n   ")}]`);
  return `${head},\n "rounds": [\n${lines.join(",\n")}\n ]\n}\n`;
}

/** A kept result, or undefined. */
export function readResult(folder, workload) {
  const path = join(folder, `${workload}.json`);
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined;
}

/** Keeps a result. That a workload was skipped does not replace what was measured once. */
export function keepResult(result, folder) {
  const former = readResult(folder, result.workload);
  if (result.skipped !== undefined && former !== undefined && former.skipped === undefined) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${result.workload}.json`), resultJson(result));
}

/** The results of a folder by workload. */
export function readResults(folder) {
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".json")) : [];
  return Object.fromEntries(files.map((file) => [file.slice(0, -5), readResult(folder, file.slice(0, -5))]));
}
