/** Paths for recordings, gone after the test. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A path where no file is. */
export function scratchPath(name = "session.rwr"): string {
  const folder = mkdtempSync(join(tmpdir(), "ringwire-record-"));
  folders.push(folder);
  return join(folder, name);
}
