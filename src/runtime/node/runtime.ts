/** Node. */

import { existsSync } from "node:fs";
import process from "node:process";
import type { Runtime } from "../runtime.ts";
import { builtLibrary, system } from "../system.ts";
import { openLibrary } from "./library.ts";
import { sockets } from "./sockets.ts";
import { openWake } from "./wake.ts";

/** {@link Runtime} of Node. */
export const runtime: Runtime = {
  ...system,
  name: "node",
  version: process.versions.node,
  platform: process.platform,
  environment: (name) => process.env[name],
  sockets,
  openLibrary,
  findLibrary() {
    const path = builtLibrary();
    return path !== undefined && existsSync(path) ? path : undefined;
  },
  // Node 20 cannot connect to an abstract name; it takes a descriptor.
  wakeMode: "descriptor",
  openWake,
};
