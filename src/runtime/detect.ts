/** Which runtime this is. Loads that runtime's folder and no other. */

import type { Runtime } from "./runtime.ts";

/** The runtime this program runs on. */
export const runtime: Runtime = await detect();

async function detect(): Promise<Runtime> {
  // Bun and Deno both have a `process` like Node's; their own names come first.
  if ("Bun" in globalThis) return (await import("./bun/runtime.ts")).runtime;
  if ("Deno" in globalThis) return (await import("./deno/runtime.ts")).runtime;
  return (await import("./node/runtime.ts")).runtime;
}
