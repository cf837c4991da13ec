/**
 * What a platform's shim was made of: it is made again when that has changed, and one of other sources is not packed.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../setup/command.mjs";
import { digest, fingerprint, isDone } from "../setup/stamp.mjs";

const RECIPES = ["platform", "debian", "sysroot", "dependencies"].map(
  (name) => `scripts/platforms/${name}.mjs`,
);
const SHIM = ["ffi/Makefile", "ffi/ipsec_mb.mk", "ffi/include", "ffi/src", "scripts/platforms/shim.mjs"];

/** Of what the libraries are built with that are linked in. */
export function dependenciesState() {
  return digest(RECIPES.map((path) => readFileSync(join(ROOT, path), "utf8")));
}

/** Of that and the shim's own sources. */
export function shimState() {
  return digest([dependenciesState(), fingerprint(SHIM)]);
}

/** The step that makes a platform's shim, for stamps. */
export function shimStep(name) {
  return `platform-${name}-shim`;
}

/** Whether a platform's shim was made of the sources as they are. */
export function isCurrent(name) {
  return isDone(shimStep(name), shimState());
}
