/**
 * Stamps: small files under build/stamps that remember for which inputs a step was done, so that a
 * repeated set-up costs milliseconds.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./command.mjs";

const DIRECTORY = join(ROOT, "build", "stamps");

/** The digest of any list of texts. */
export function digest(texts) {
  const hash = createHash("sha256");
  for (const text of texts) hash.update(text).update("\0");
  return hash.digest("hex");
}

/**
 * What stands for the state of files and whole directories: paths, sizes and times of change. Times and
 * not contents, because this runs before every command.
 */
export function fingerprint(paths) {
  const lines = [];
  const visit = (path) => {
    let stat;
    try {
      stat = statSync(join(ROOT, path));
    } catch {
      lines.push(`${path} missing`);
      return;
    }
    if (stat.isDirectory()) {
      for (const name of readdirSync(join(ROOT, path)).sort()) {
        if (name !== "build" && name !== "node_modules") visit(`${path}/${name}`);
      }
    } else {
      lines.push(`${path} ${stat.size} ${stat.mtimeMs}`);
    }
  };
  for (const path of paths) visit(path);
  return digest(lines);
}

/** Whether a step was done for exactly this state. */
export function isDone(step, state) {
  try {
    return readFileSync(join(DIRECTORY, step), "utf8") === state;
  } catch {
    return false;
  }
}

/** Remembers that a step is done for this state. */
export function markDone(step, state) {
  mkdirSync(DIRECTORY, { recursive: true });
  writeFileSync(join(DIRECTORY, step), state);
}

/** Forgets that a step was done. */
export function forget(step) {
  rmSync(join(DIRECTORY, step), { force: true });
}
