/** Bun. */

import { existsSync } from "node:fs";
import type { Runtime } from "../runtime.ts";
import { builtLibrary, system } from "../system.ts";
import { openLibrary } from "./library.ts";
import { sockets } from "./sockets.ts";
import { openWake } from "./wake.ts";

/** {@link Runtime} of Bun. */
export const runtime: Runtime = {
  ...system,
  name: "bun",
  version: Bun.version,
  platform: process.platform,
  environment: (name) => process.env[name],
  sockets,
  openLibrary,
  findLibrary() {
    const path = builtLibrary();
    return path !== undefined && existsSync(path) ? path : undefined;
  },
  wakeMode: "abstract",
  openWake,
};
