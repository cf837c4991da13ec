/**
 * Results as files: one JSON object for each workload, and the one before it, to see what repeats.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
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

/** Keeps a result; the one that was there goes to `former`. */
export function keepResult(result, folder, former) {
  const file = `${result.workload}.json`;
  mkdirSync(folder, { recursive: true });
  mkdirSync(former, { recursive: true });
  if (existsSync(join(folder, file))) renameSync(join(folder, file), join(former, file));
  writeFileSync(join(folder, file), resultJson(result));
}

/** The results of a folder by workload. */
export function readResults(folder) {
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".json")) : [];
  return Object.fromEntries(
    files.map((file) => [file.slice(0, -5), JSON.parse(readFileSync(join(folder, file), "utf8"))]),
  );
}
