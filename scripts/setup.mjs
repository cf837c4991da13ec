#!/usr/bin/env node
/**
 * Brings a fresh clone to working order: npm packages with running binaries, Debian packages, the
 * io_uring shim. Needs Node 20 and nothing else; does only what is not done yet. Every npm script calls
 * it first by itself.
 */
import { pathToFileURL } from "node:url";
import { installPackages } from "./setup/npm_packages.mjs";
import { buildShim } from "./setup/shim.mjs";

/**
 * @returns Why the shim is missing, or undefined when everything is there.
 * @throws Error when the npm packages cannot be installed.
 */
export async function setUp() {
  const major = Number(process.versions.node.split(".")[0]);
  if (major < 20) throw new Error(`Cannot set up: Node ${process.versions.node} is too old, 20 is needed.`);
  await installPackages();
  const reason = buildShim();
  if (reason !== undefined) {
    console.error(`set-up: no io_uring shim, native sockets will be used: ${reason}`);
  }
  return reason;
}

/** For the scripts: sets up, or ends the process with the reason. */
export async function setUpOrExit() {
  try {
    return await setUp();
  } catch (error) {
    console.error(`set-up: ${error.message}`);
    process.exit(1);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await setUpOrExit();
