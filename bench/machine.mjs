/**
 * What a figure depends on besides the program: machine and versions, recorded with every result.
 */
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release } from "node:os";
import { join } from "node:path";
import { RUNTIMES, runtimeVersion } from "../scripts/runtimes.mjs";
import { capture, ROOT } from "../scripts/setup/command.mjs";

function packageVersion(path) {
  return JSON.parse(readFileSync(join(ROOT, path, "package.json"), "utf8")).version;
}

export function describeMachine() {
  const versions = { ringwire: packageVersion("."), ws: packageVersion("node_modules/ws") };
  for (const runtime of RUNTIMES) versions[runtime] = runtimeVersion(runtime) ?? "missing";
  const commit = capture("git", ["rev-parse", "--short", "HEAD"]).stdout.trim();
  // What a run writes itself is no change.
  const sources = [".", ":!bench/results", ":!bench/RESULTS.md"];
  const isDirty = capture("git", ["status", "--porcelain", "-uno", "--", ...sources]).stdout.trim() !== "";
  return {
    date: new Date().toISOString().slice(0, 16).replace("T", " "),
    kernel: release(),
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    loadAverage: Number(loadavg()[0].toFixed(2)),
    commit: commit === "" ? "unknown" : `${commit}${isDirty ? " with changes" : ""}`,
    versions,
  };
}
