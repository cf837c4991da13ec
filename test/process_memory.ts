/** What a test counts of its own process: memory that is really held, and open descriptors. */

import { readdirSync } from "node:fs";
import process from "node:process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** V8's collector, which Node and Deno give to a context that is made behind the flag. */
function v8Collector(): () => void {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc");
}

const { Bun } = globalThis as { Bun?: { gc(force: boolean): void } };

/** Frees what nobody holds any more. */
export const collectGarbage: () => void = Bun === undefined ? v8Collector() : () => Bun.gc(true);

/** Resident memory in MiB, without garbage. */
export function residentMib(): number {
  collectGarbage();
  return process.memoryUsage().rss / (1 << 20);
}

/** Open descriptors; 0 where there is no /proc. */
export function openDescriptors(): number {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return 0;
  }
}
